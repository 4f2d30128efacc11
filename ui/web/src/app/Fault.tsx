// The last resort: a fault in the page must say so, not leave an empty screen that looks calm.
import { Component, type ReactNode } from "react";

export class FaultBoundary extends Component<{ children: ReactNode }, { fault: string | null }> {
  override state: { fault: string | null } = { fault: null };

  static getDerivedStateFromError(error: unknown): { fault: string } {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.fault === null) return this.props.children;
    return (
      <div className="msg" role="alert">
        <h2>The page has a fault and shows nothing any more</h2>
        <p>{this.state.fault}. The server is not affected.</p>
        <button type="button" className="btn" onClick={() => location.reload()}>Load the page again</button>
      </div>
    );
  }
}

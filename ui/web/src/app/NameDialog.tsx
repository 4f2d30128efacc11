// Asks who commands. Nobody has to log in yet; the name goes with each command.
import { useState } from "react";
import { Dialog, Field } from "../lib/Dialog";
import { useServices } from "./context";

export function NameDialog({ onClose }: { onClose: () => void }) {
  const { person } = useServices();
  const [name, setName] = useState(person.get());
  return (
    <Dialog title="Who are you?" action="Keep" onClose={onClose} onDone={() => { person.set(name.trim()); onClose(); }}>
      <p>The name stands beside what you do, in the history of each incident. It stays in this browser.</p>
      <Field label="Name"><input value={name} autoComplete="username" onChange={(e) => setName(e.target.value)} /></Field>
    </Dialog>
  );
}

// Lines to copy.
import { useState } from "react";
import { copyText } from "../lib/copy";
import { Icon } from "../lib/marks";

export function Code({ file, text }: { file: string; text: string }) {
  const [said, say] = useState("Copy");
  return (
    <div className="code">
      <div className="ch">
        <span className="mono">{file}</span>
        <button
          type="button" className="btn sm quiet" aria-label={`Copy ${file}`}
          onClick={() => void copyText(text).then((ok) => say(ok ? "Copied" : "Copy by hand"))}
        >
          <Icon name="copy" />{said}
        </button>
      </div>
      <pre>{text.trimEnd().split("\n").map((line, i) => <Line key={i} line={line} yaml={file.endsWith(".yml")} />)}</pre>
    </div>
  );
}

/** A line of YAML in three inks: keys, values, comments. */
function Line({ line, yaml }: { line: string; yaml: boolean }) {
  const m = yaml ? /^(\s*(?:- )?(?:[\w-]+:)?)(.*?)(\s*#.*)?$/.exec(line) : null;
  if (m === null) return <>{line}{"\n"}</>;
  return <>{m[1]}<span className="ink">{m[2]}</span><span className="muted">{m[3] ?? ""}</span>{"\n"}</>;
}

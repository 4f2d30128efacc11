// The clock of this machine, every second: for ages of what this machine has measured itself.
import { useEffect, useState } from "react";

export function useTick(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Whether the reader's system is dark. */
import { useEffect, useState } from "preact/hooks";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** As it changes. */
export function useDark(): boolean {
  const [isDark, set] = useState(dark.matches);
  useEffect(() => {
    const look = (): void => set(dark.matches);
    dark.addEventListener("change", look);
    return () => dark.removeEventListener("change", look);
  }, []);
  return isDark;
}

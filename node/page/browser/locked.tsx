/** What is shown to whoever has no token. */
import { useState } from "preact/hooks";

/** place: where the token is, after "the file".  isRefused: whether the page had one that is not known. */
export function Locked({
  place,
  isRefused,
  onToken,
}: {
  readonly place: string;
  readonly isRefused: boolean;
  readonly onToken: (token: string) => void;
}) {
  const [text, setText] = useState("");
  return (
    <main class="locked">
      <h1>weft</h1>
      <p>This page belongs to whoever may read the files behind it. Enter what is in the file {place}.</p>
      {isRefused && (
        <p class="alarm" role="alert">
          The token that this page had is not known here.
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") onToken(text.trim());
        }}
      >
        <p>
          <label for="token">Token</label>
        </p>
        <p>
          <input
            id="token"
            type="password"
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </p>
        <button type="submit">Open</button>
      </form>
    </main>
  );
}

/** What is shown to whoever has no token. */
import { useState } from "preact/hooks";
import { isToken, keepToken, tokenOfPage } from "./admin-client.ts";

/** The token of the page, and what takes another one for as long as the page is open. */
export function useToken(): readonly [string | undefined, (given: string) => void] {
  const [token, setToken] = useState(tokenOfPage);
  const take = (given: string): void => {
    keepToken(given);
    setToken(given);
  };
  return [token, take];
}

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
  const [isOdd, say] = useState(false);
  return (
    <main class="locked">
      <h1>weft</h1>
      <p>This page belongs to whoever may read the files behind it. Enter what is in the file {place}.</p>
      {isOdd && (
        <p class="alarm" role="alert">
          A token has 43 letters, digits, - and _; this is none.
        </p>
      )}
      {isRefused && !isOdd && (
        <p class="alarm" role="alert">
          The token that this page had is not known here.
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const token = text.trim();
          // What no file holds is not sent either: a header has no room for every letter.
          if (isToken(token)) onToken(token);
          else say(true);
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

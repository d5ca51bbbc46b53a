/** The page of a running peer: everything on it comes from the peer's own admin interface. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { App } from "./app.tsx";

const place = document.getElementById("page");
if (place === null) throw new Error("the page has no place for its contents");
render(<App />, place);

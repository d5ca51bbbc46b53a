/** The page: of a running peer or of a swarm, from the interface that serves it; or a report, from what the page holds itself. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { App } from "./app.tsx";
import { Report, reportInside } from "./report.tsx";
import { Swarm } from "./swarm.tsx";

const place = document.getElementById("page");
if (place === null) throw new Error("the page has no place for its contents");
const report = reportInside();
render(report ? <Report report={report} /> : place.dataset.of === "swarm" ? <Swarm /> : <App />, place);

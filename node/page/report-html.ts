/** A report as one file that opens anywhere: the page as it was built, with its data inside. */
import type { ReportDocument } from "../interface/report-document.ts";
import { readPageFiles } from "../system/files/page-files.ts";

/** Nothing in it is fetched from anywhere, and its policy forbids it. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

/** The whole file.  Throws: the system's error where the package is damaged. */
export async function reportHtml(document: ReportDocument): Promise<string> {
  const files = new Map((await readPageFiles()).map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]));
  const [script = "", style = ""] = [files.get("/page.js"), files.get("/page.css")];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>weft: report</title>
<link rel="icon" href="data:,">
<style>${style.replaceAll("</style", "<\\/style")}</style>
</head>
<body>
<div id="page"></div>
<script type="application/json" id="report">${safeJson(document)}</script>
<script type="module">${script.replaceAll("</script", "<\\/script")}</script>
</body>
</html>
`;
}

/** JSON that ends no script element, whatever stands in it. */
function safeJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

/** Dates as chat templates write them: the signs of C's strftime that they use, in English. */

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** Local time in a format such as `%d %b %Y`; a sign that is not known stays as it is. */
export function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const month = MONTHS[date.getMonth()] ?? "";
  const day = DAYS[date.getDay()] ?? "";
  const hour = date.getHours();
  const signs: Readonly<Record<string, string>> = {
    "%Y": String(date.getFullYear()),
    "%y": two(date.getFullYear() % 100),
    "%m": two(date.getMonth() + 1),
    "%d": two(date.getDate()),
    "%B": month,
    "%b": month.slice(0, 3),
    "%A": day,
    "%a": day.slice(0, 3),
    "%H": two(hour),
    "%I": two(hour % 12 === 0 ? 12 : hour % 12),
    "%p": hour < 12 ? "AM" : "PM",
    "%M": two(date.getMinutes()),
    "%S": two(date.getSeconds()),
    "%%": "%",
  };
  return format.replace(/%./gu, (sign) => signs[sign] ?? sign);
}

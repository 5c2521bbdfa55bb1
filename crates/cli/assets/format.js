// How numbers, times, bytes and errors are written on the page.

const UNITS = ["B", "KiB", "MiB", "GiB"];

export function bytes(count) {
  let unit = 0;
  while (count >= 1024 && unit < UNITS.length - 1) {
    count /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || count >= 100 || Number.isInteger(count) ? 0 : 1;
  return `${count.toFixed(digits)} ${UNITS[unit]}`;
}

export function count(value) {
  return value.toLocaleString("en");
}

export function milliseconds(value) {
  return value < 100 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

/** Hours to milliseconds, in the reader's time zone. */
export function clock(date) {
  const part = (value, width) => String(value).padStart(width, "0");
  return `${part(date.getHours(), 2)}:${part(date.getMinutes(), 2)}:${part(date.getSeconds(), 2)}.${part(date.getMilliseconds(), 3)}`;
}

export function hex(octets) {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(" ");
}

/** Bytes from hex digits; blanks, commas, colons and `0x` are ignored. */
export function parseHex(text) {
  const digits = text.replace(/0x|[\s,:]/gi, "");
  if (/[^0-9a-f]/i.test(digits)) {
    throw new TypeError(`hex has only the digits 0 to 9 and a to f, not "${digits.match(/[^0-9a-f]/i)[0]}"`);
  }
  if (digits.length % 2 === 1) {
    throw new TypeError(`hex needs two digits for each byte; this has ${digits.length} digits`);
  }
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}

/** `InvalidAccessError: …`: what the API threw, in its own words. */
export function thrown(error) {
  return `${error.name}: ${error.message}`;
}

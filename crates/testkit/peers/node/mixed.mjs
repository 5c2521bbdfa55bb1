// A thousand mixed messages, the same for the same seed, and their exchange with
// a server that echoes.

/** Numbers from 0 to 1 (mulberry32). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function size(random, i) {
  if (i === 500) return 1 << 20;
  const kind = random();
  if (kind < 0.02) return 0;
  if (kind < 0.72) return Math.floor(random() * 300);
  if (kind < 0.94) return Math.floor(random() * 4096);
  if (kind < 0.995) return Math.floor(random() * 32768);
  return 65536 + Math.floor(random() * 131072);
}

const WORDS = ["alpha", "beta", "gämma", "δέλτα", "{\"key\": ", "true, ", "𝄞", " ", "0.125"];

function content(random, length, binary) {
  const bytes = Buffer.alloc(length, "~");
  if (binary && random() < 0.5) {
    for (let i = 0; i < length; i++) bytes[i] = random() * 256;
    return bytes;
  }
  let at = 0;
  while (at < length) {
    const word = Buffer.from(WORDS[Math.floor(random() * WORDS.length)]);
    if (at + word.length > length) break;
    at += word.copy(bytes, at);
  }
  return bytes;
}

/** Messages {data, binary, fragments}. */
export function* messages(seed, count = 1000) {
  const random = generator(seed);
  for (let i = 0; i < count; i++) {
    const binary = random() < 0.5;
    const data = content(random, size(random, i), binary);
    const fragments = random() < 0.1 ? 1 + Math.floor(random() * 5) : 1;
    yield { data, binary, fragments };
  }
}

/** Option sets of `perMessageDeflate`: every combination. */
export function optionSets() {
  const sets = [false];
  for (const serverNoContextTakeover of [undefined, true]) {
    for (const clientNoContextTakeover of [undefined, true]) {
      for (const serverMaxWindowBits of [undefined, 8, 9, 15]) {
        for (const clientMaxWindowBits of [undefined, 8, 9, 15]) {
          sets.push({
            serverNoContextTakeover,
            clientNoContextTakeover,
            serverMaxWindowBits,
            clientMaxWindowBits,
            threshold: 0,
          });
        }
      }
    }
  }
  return sets;
}

/** Sends them all, at most WINDOW on the way, and expects each back in order. */
export function exchange(socket, seed) {
  const WINDOW = 16;
  return new Promise((resolve, reject) => {
    const all = messages(seed);
    const expected = [];
    let received = 0;
    let done = false;
    const sendNext = () => {
      const { value, done: last } = all.next();
      if (last) {
        done = true;
        return;
      }
      expected.push(value);
      const { data, binary, fragments } = value;
      const step = Math.ceil(data.length / fragments);
      for (let part = 0; part < fragments; part++) {
        const fin = part === fragments - 1;
        const bytes = data.subarray(part * step, fin ? data.length : (part + 1) * step);
        socket.send(bytes, { binary, fin });
      }
    };
    socket.on("message", (data, binary) => {
      const message = expected.shift();
      if (message === undefined || binary !== message.binary || !message.data.equals(data)) {
        reject(new Error(`message ${received} of ${message?.data.length} bytes came back changed`));
        return socket.terminate();
      }
      received++;
      if (!done) sendNext();
      if (done && expected.length === 0) resolve(received);
    });
    socket.on("close", (code) => reject(new Error(`closed with ${code} after ${received} messages`)));
    socket.on("error", reject);
    for (let i = 0; i < WINDOW; i++) sendNext();
  });
}

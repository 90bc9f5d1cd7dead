/**
 * A ROUTER that answers every request with a reply of fixed size and does nothing else. It shows the transport's cost.
 * `node echo.mjs ADDRESS HEADER_BYTES BODY_BYTES` prints a line when it is ready and ends with its standard input.
 */

import { Router } from "zeromq";

const [address, headerBytes, bodyBytes] = process.argv.slice(2);
const socket = new Router({ linger: 0, mandatory: true, sendTimeout: 0 });
await socket.bind(address);
const parts = [Buffer.alloc(Number(headerBytes)), ...(Number(bodyBytes) > 0 ? [Buffer.alloc(Number(bodyBytes))] : [])];
process.stdin.once("end", () => process.exit(0)).resume();
process.stdout.write("ready\n");
for await (const [identity] of socket) await socket.send([identity, ...parts]);

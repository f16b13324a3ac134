import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { checkOptions } from "../runtime/checks.js";
import { OptionError } from "../runtime/errors.js";
import { SERVE_RULES, type ServeOptions } from "./serve_rules.js";
import type { Closing, Server } from "./server.js";

/** A server that listens. */
export interface Listening {
  /** Its address, such as http://127.0.0.1:8000. */
  readonly url: string;
  /** Takes no more connections, and closes the server as `server.close` does. */
  close(milliseconds?: number): Promise<Closing>;
}

const PATIENCE = 2000; // milliseconds that a refused connection has to read why
const BACKLOG = 4096; // connections that the system holds until we answer or refuse them
const REQUEST = 60_000; // milliseconds in which a request must have come

/**
 * Lets a server listen, in Node. Needs the package @hono/node-server. Throws OptionError, where the address
 * is taken too.
 *
 * @example
 * const server = await createServer({ brown: "models/gpt2-brown" });
 * const { url, close } = await serve(server, { port: 0 });
 * console.log(await (await fetch(`${url}/health`)).json()); // { status: "ok", models: ["brown"] }
 * await close();
 */
export async function serve(server: Server, options: ServeOptions = {}): Promise<Listening> {
  checkOptions("serve", options, SERVE_RULES);
  const { port = 8000, host = "127.0.0.1", max_connections = 1024 } = options;
  const { createAdaptorServer } = await import("@hono/node-server");
  const http = createAdaptorServer({
    fetch: (request, environment) => server.fetch(request, environment),
    overrideGlobalObjects: false,
    hostname: host,
    serverOptions: { requestTimeout: REQUEST },
  }) as HttpServer;
  refuseBeyond(http, max_connections, server.onRefused);
  await new Promise<void>((resolve, reject) => {
    http.once("error", ({ message }) =>
      reject(new OptionError(`serve: host and port must be an address to listen at, ${message}`)),
    );
    http.listen({ port, host, backlog: BACKLOG }, resolve);
  });
  const { address, port: own, family } = http.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${own}`,
    async close(milliseconds) {
      const closed = new Promise((resolve) => http.close(resolve));
      http.closeIdleConnections();
      const closing = await server.close(milliseconds);
      http.closeIdleConnections();
      const late = setTimeout(() => http.closeAllConnections(), PATIENCE);
      await closed;
      clearTimeout(late);
      return closing;
    },
  };
}

const FULL = JSON.stringify({
  error: {
    message: "the server has as many connections as it takes; try again",
    type: "server_error",
    param: null,
    code: "too_many_connections",
  },
});

const REFUSAL = [
  "HTTP/1.1 503 Service Unavailable",
  "content-type: application/json",
  `content-length: ${FULL.length}`,
  "retry-after: 1",
  "connection: close",
  "",
  FULL,
].join("\r\n");

/** Answers connections beyond `most` without reading what they ask. */
function refuseBeyond(http: HttpServer, most: number, onRefused: () => void): void {
  const [take] = http.listeners("connection") as ((socket: Socket) => void)[];
  http.removeListener("connection", take);
  let open = 0;
  http.on("connection", (socket: Socket) => {
    if (open >= most) {
      onRefused();
      return refuse(socket);
    }
    open++;
    socket.once("close", () => open--);
    take.call(http, socket);
  });
}

/** Says why, and leaves the client a moment to read it: what it sends meanwhile is thrown away. */
function refuse(socket: Socket): void {
  socket.on("error", () => {}); // it may have left already
  socket.end(REFUSAL);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), PATIENCE);
  socket.once("close", () => clearTimeout(timer));
}

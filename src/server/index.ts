export { type Closing, createServer, type Server, type ServedModel, type ServerOptions } from "./server.js";
export type { LimitOptions } from "./limits.js";
export { type Listening, serve } from "./node.js";
export type { ServeOptions } from "./serve_rules.js";

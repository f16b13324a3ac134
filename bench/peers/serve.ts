// Requests that come by themselves, and our ways to answer them, for the part `serve`.
export { load } from "../../src/index.js";
export * from "../serve/drive.js";
export * from "../serve/figures.js";
export * from "../serve/levels.js";
export * from "../serve/requests.js";
export * from "../serve/servers.js";
export * from "../serve/settings.js";

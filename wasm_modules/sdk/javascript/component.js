// What the room calls, handed to the author's plugin.js as plain values.
import * as plugin from "./plugin.js";

export function describe() {
  return JSON.stringify({ id: plugin.id, schema: 1 });
}

export function handle(input) {
  return JSON.stringify(plugin.handle(JSON.parse(input)));
}

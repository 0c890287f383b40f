// Display: on with the meeting, signage between for whoever is near, off at night and when empty.
export const id = "display";

const MINUTE = 60;
// A display that was just switched off is not switched on again for its own sake, nor back off.
const REST_S = 120;

// Whether the display belongs to a meeting now: one that runs, or begins in a moment.
function meets(event, { early_min = 2 }) {
  const { meeting = "none", started = false, minutes_to_next: next = -1 } = event;
  if (meeting === "active") return true;
  return meeting === "pending" && (started || (next >= 0 && next <= early_min));
}

// Whether signage may be shown at this hour; not while nobody knows what time it is.
function open(event, { opens = 7, closes = 19, weekends = false }) {
  const { local_hour: hour = -1, weekday = -1 } = event;
  if (hour < 0 || weekday < 0 || (weekday > 4 && !weekends)) return false;
  return hour >= opens && hour < closes;
}

// What the display should show: { power, input, reason }.
function wish(event, memory, now, settings) {
  const { linger_min = 5, empty_min = 15, near_min = 30, signage = true } = settings;
  const { meeting_input: screen = "laptop", signage_input: player = "player" } = settings;
  const { minutes_to_next: next = -1 } = event;
  const asked = event.targets?.[settings.input ?? "display.input"];
  if (meets(event, settings)) {
    const input = typeof asked === "string" && asked.length <= 64 ? asked : screen;
    const reason = event.meeting === "active" ? "meeting runs" : "meeting begins";
    return { power: "on", input, reason };
  }
  const since = now - memory.met;
  if (event.occupied && since >= 0 && since < linger_min * MINUTE) {
    return { power: "on", input: memory.input, reason: "they are still here" };
  }
  if (!signage || !open(event, settings)) {
    return { power: "off", input: player, reason: signage ? "closed hours" : "no meeting" };
  }
  const gone = now - memory.seen;
  if (event.occupied || (gone >= 0 && gone < empty_min * MINUTE)) {
    return { power: "on", input: player, reason: "signage" };
  }
  if (next >= 0 && next <= near_min) {
    return { power: "on", input: player, reason: `signage, meeting in ${Math.round(next)} min` };
  }
  return { power: "off", input: player, reason: "nobody here" };
}

// Nobody waits for a meeting's picture; everything else may.
function rested(memory, now, event, settings) {
  const passed = now - memory.changed;
  return meets(event, settings) || passed >= REST_S || passed < 0;
}

function decide(event, memory, now, settings) {
  if (event.occupied) memory.seen = now;
  if (meets(event, settings)) memory.met = now;
  const { power, input, reason } = wish(event, memory, now, settings);
  const moves = power !== memory.power || input !== memory.input;
  if (moves && rested(memory, now, event, settings)) {
    Object.assign(memory, { power, input, changed: now });
  }
  return reason;
}

function remembered(state, { signage_input = "player" }) {
  const fresh = { seen: -1e12, met: -1e12, changed: -1e12, power: "off", input: signage_input };
  try {
    return state ? { ...fresh, ...JSON.parse(state) } : fresh;
  } catch {
    return fresh;
  }
}

export function handle({ events, now, state, settings = {} }) {
  const memory = remembered(state, settings);
  const { power = "display.power", input = "display.input", lease_s = 300 } = settings;
  const commands = events.flatMap((event) => {
    const reason = decide(event, memory, now, settings);
    const asks = [
      { actuator: power, value: memory.power },
      { actuator: input, value: memory.input },
    ];
    return asks
      .filter(({ actuator }) => actuator !== "")
      .map((ask) => ({ event: event.id, ...ask, lease_s, reason }));
  });
  return { commands, state: JSON.stringify(memory) };
}

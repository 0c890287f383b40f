// NAME: the light is on while people are here and for a while after they left.
export const id = "NAME";

// Return what the room should be: { commands: [...], state: text }.
export function handle({ events, now, state, settings = {} }) {
  const { level = 70, hold_s = 60, actuator = "light.main" } = settings;
  // What is to be remembered comes back as the text that went out last time.
  let seen = Number(state || -1e9);
  const commands = events.map(({ id, occupied = false }) => {
    if (occupied) seen = now;
    const gone = now - seen;
    const on = occupied || (gone >= 0 && gone < hold_s);
    const reason = occupied ? "people are here" : on ? "held" : "nobody here";
    // Every event is answered: who hears of people arriving must say what that means.
    return { event: id, actuator, value: on ? level : 0, lease_s: 60, reason };
  });
  return { commands, state: seen.toFixed(0) };
}

//! NAME: the light is on while people are here and for a while after they left.
const std = @import("std");
const rk = @import("roomkeeper");

pub const id = "NAME";

comptime {
    rk.plugin(@This());
}

pub fn handle(input: rk.Input, answer: *rk.Answer) !void {
    const level = input.number("level", 70);
    const hold = input.number("hold_s", 60);
    // What is to be remembered comes back as the text that went out last time.
    var seen = std.fmt.parseFloat(f64, input.state) catch -1e9;
    for (input.events) |event| {
        if (event.occupied) seen = input.now;
        const gone = input.now - seen;
        const on = event.occupied or (gone >= 0 and gone < hold);
        // Every event is answered: who hears of people arriving must say what that means.
        try answer.command(.{
            .event = event.id,
            .actuator = input.text("actuator", "light.main"),
            .value = if (on) level else 0,
            .lease_s = 60,
            .reason = if (event.occupied) "people are here" else if (on) "held" else "nobody here",
        });
    }
    answer.state = try answer.print("{d:.0}", .{seen});
}

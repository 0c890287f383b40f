//! Blinds: closed against glare and heat while the sun stands in the window, open otherwise, and
//! left as people set them. Percent (0 open, 100 closed), degrees, lux, seconds.
const std = @import("std");
const rk = @import("roomkeeper");
const sunlight = @import("sunlight.zig");

pub const id = "blinds";

comptime {
    rk.plugin(@This());
}

/// A blind has moved and said so by then.
const settle_s = 90;
/// What a blind reports may be off by this.
const tolerance = 5;
/// A smaller move is not worth the noise.
const least_move = 10;

const Settings = struct {
    actuator: []const u8,
    sun: sunlight.Settings,
    dwell_s: f64,
    respect_s: f64,
    lease_s: f64,

    fn of(input: rk.Input) Settings {
        return .{
            .actuator = input.text("actuator", "blind.main"),
            .sun = sunlight.Settings.of(input),
            .dwell_s = 60 * input.number("dwell_min", 15),
            .respect_s = 60 * input.number("respect_min", 60),
            .lease_s = input.number("lease_s", 600),
        };
    }
};

/// level: last asked for, since moved; followed: the blind said so; hand: when somebody else moved
/// it; why: the sun's part.
const Memory = struct {
    level: f64 = 0,
    moved: f64 = -1e12,
    followed: bool = false,
    hand: f64 = -1e12,
    sun: sunlight.Memory = .{},

    fn of(input: rk.Input, memory: std.mem.Allocator) Memory {
        if (input.state.len == 0) return .{};
        const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
        var kept = std.json.parseFromSliceLeaky(Memory, memory, input.state, options) catch
            return .{};
        kept.level = sunlight.between(kept.level, 0, 100);
        return kept;
    }

    /// The blind does not stand where it was asked to, though it once did: somebody moved it.
    fn noticeHand(self: *Memory, said: ?f64, now: f64) void {
        const stands = said orelse return;
        if (!(stands >= 0 and stands <= 100)) return;
        if (@abs(stands - self.level) <= tolerance) {
            self.followed = true;
        } else if (self.followed and now - self.moved >= settle_s) {
            self.level = stands;
            self.moved = now;
            self.hand = now;
        }
    }

    fn moveTo(self: *Memory, level: f64, now: f64, dwell_s: f64) void {
        const rested = now - self.moved >= dwell_s or now < self.moved;
        const far = @abs(level - self.level) >= least_move or level == 0 or level == 100;
        if (level == self.level or !rested or !far) return;
        self.level = level;
        self.moved = now;
        self.followed = false;
    }
};

pub fn handle(input: rk.Input, answer: *rk.Answer) !void {
    const settings = Settings.of(input);
    var memory = Memory.of(input, answer.memory);
    for (input.events) |event| {
        const reason = try decide(event, input.now, settings, &memory, answer);
        try answer.command(.{
            .event = event.id,
            .actuator = settings.actuator,
            .value = memory.level,
            .lease_s = settings.lease_s,
            .reason = reason,
        });
    }
    answer.state = try std.json.Stringify.valueAlloc(answer.memory, memory, .{});
}

fn decide(
    event: rk.Event,
    now: f64,
    settings: Settings,
    memory: *Memory,
    answer: *rk.Answer,
) ![]const u8 {
    memory.noticeHand(rk.asNumber(event.reported.map.get(settings.actuator)), now);
    const left = settings.respect_s - (now - memory.hand);
    if (left > 0 and now >= memory.hand) {
        return answer.print("set by hand, left alone for {d:.0} min", .{@ceil(left / 60)});
    }
    const asked = rk.asNumber(event.targets.map.get(settings.actuator));
    if (asked) |level| {
        if (!std.mem.eql(u8, event.meeting, "none")) {
            // What people booked does not wait for a blind to have rested.
            memory.moveTo(@round(sunlight.between(level, 0, 100)), now, settle_s);
            return "the intent wants it so";
        }
    }
    const wish = memory.sun.wish(event, memory.level, now, settings.sun);
    memory.moveTo(wish.level, now, settings.dwell_s);
    return wish.reason;
}

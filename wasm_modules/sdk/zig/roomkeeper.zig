//! What a plugin written in Zig needs: typed input and answer, the room's log, the world's exports.
//!
//! A plugin's root file has `pub const id`, `pub fn handle(input: rk.Input, answer: *rk.Answer)
//! !void` and `comptime { rk.plugin(@This()); }`. All memory is given back when a call returns.

const std = @import("std");

pub const Value = std.json.Value;
pub const Values = std.json.ArrayHashMap(Value);
pub const Numbers = std.json.ArrayHashMap(f64);
pub const Flags = std.json.ArrayHashMap(bool);

/// What happened, and the room as it was then. Missing means unknown; see docs/plugins.md.
pub const Event = struct {
    id: []const u8,
    kind: []const u8 = "tick",
    occupied: bool = false,
    probability: f64 = 0,
    count: i64 = 0,
    counted: bool = false,
    consent: []const u8 = "all",
    meeting: []const u8 = "none",
    minutes_to_next: f64 = -1,
    minutes_to_end: f64 = -1,
    intent: []const u8 = "",
    targets: Values = .{},
    next_intent: []const u8 = "",
    next_targets: Values = .{},
    readings: Numbers = .{},
    reported: Values = .{},
    started: bool = false,
    contacts: Flags = .{},
    sound_db: ?f64 = null,
    voice: ?f64 = null,
    clipped: ?f64 = null,
    sun_azimuth: ?f64 = null,
    sun_elevation: ?f64 = null,
    local_hour: f64 = -1,
    weekday: i64 = -1,
};

pub const Input = struct {
    events: []const Event = &.{},
    now: f64 = 0,
    seed: i64 = 0,
    state: []const u8 = "",
    settings: Values = .{},

    /// A number an installer chose, or `otherwise`.
    pub fn number(self: Input, name: []const u8, otherwise: f64) f64 {
        return asNumber(self.settings.map.get(name)) orelse otherwise;
    }

    /// A text an installer chose, or `otherwise`.
    pub fn text(self: Input, name: []const u8, otherwise: []const u8) []const u8 {
        const found = self.settings.map.get(name) orelse return otherwise;
        return if (found == .string) found.string else otherwise;
    }
};

/// The value as a number, or null when it is none.
pub fn asNumber(value: ?Value) ?f64 {
    return switch (value orelse return null) {
        .integer => |number| @floatFromInt(number),
        .float => |number| number,
        else => null,
    };
}

pub const Command = struct {
    event: []const u8,
    actuator: []const u8,
    value: f64,
    lease_s: f64,
    reason: []const u8 = "",
};

/// The answer being made. `memory` is what `handle` may allocate from; nothing need be freed.
pub const Answer = struct {
    memory: std.mem.Allocator,
    commands: std.ArrayList(Command) = .empty,
    state: []const u8 = "",

    /// Ask for a desired state in answer to an event.
    pub fn command(self: *Answer, wish: Command) !void {
        try self.commands.append(self.memory, wish);
    }

    /// Text for a reason or the state.
    pub fn print(self: *Answer, comptime format: []const u8, values: anytype) ![]const u8 {
        return std.fmt.allocPrint(self.memory, format, values);
    }
};

extern "$root" fn log([*]const u8, usize, [*]const u8, usize) void;

/// Say something to the room's log. level: debug, info, warning or error.
pub fn say(level: []const u8, message: []const u8) void {
    log(level.ptr, level.len, message.ptr, message.len);
}

/// Export what the room calls, in terms of the plugin's root file.
pub fn plugin(comptime Root: type) void {
    const world = struct {
        var arena: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);
        var result: [2]usize = .{ 0, 0 };

        fn give(text: []const u8) *[2]usize {
            result = .{ @intFromPtr(text.ptr), text.len };
            return &result;
        }

        fn describe() callconv(.c) *[2]usize {
            return give("{\"id\":\"" ++ Root.id ++ "\",\"schema\":1}");
        }

        // An empty answer is none: the host counts it as a failure of the call.
        fn handle(at: [*]const u8, len: usize) callconv(.c) *[2]usize {
            return give(answered(at[0..len]) catch |err| {
                say("error", @errorName(err));
                return give("");
            });
        }

        fn answered(text: []const u8) ![]const u8 {
            const memory = arena.allocator();
            const input = try std.json.parseFromSliceLeaky(
                Input,
                memory,
                text,
                .{ .ignore_unknown_fields = true },
            );
            var answer: Answer = .{ .memory = memory };
            try Root.handle(input, &answer);
            return std.json.Stringify.valueAlloc(
                memory,
                .{ .commands = answer.commands.items, .state = answer.state },
                .{},
            );
        }

        fn done(_: *[2]usize) callconv(.c) void {
            _ = arena.reset(.retain_capacity);
        }

        // The host places the input with this; it cannot be told that there is no room: so trap.
        fn place(old: ?[*]u8, old_size: usize, _: usize, size: usize) callconv(.c) [*]u8 {
            const memory = arena.allocator();
            const made = memory.alignedAlloc(u8, .@"8", @max(size, 1)) catch @trap();
            if (old) |from| @memcpy(made[0..@min(old_size, size)], from[0..@min(old_size, size)]);
            return made.ptr;
        }
    };
    @export(&world.describe, .{ .name = "describe" });
    @export(&world.handle, .{ .name = "handle" });
    @export(&world.done, .{ .name = "cabi_post_handle" });
    @export(&world.place, .{ .name = "cabi_realloc" });
}

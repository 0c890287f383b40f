//! What the sun does to a room: glare for those who are in it, heat for those who come.
const std = @import("std");
const rk = @import("roomkeeper");

/// Below this the sun stands behind trees and houses.
const horizon = 2;
/// The sun this low shines under any half-closed blind.
const low = 15;
/// Once closed, this part of the glare that closed it must be gone.
const relief = 0.5;
/// One degree of patience before a warm room is shaded, or opened again.
const band = 1;

pub fn between(number: f64, least: f64, most: f64) f64 {
    return if (number >= least) @min(number, most) else least;
}

pub const Settings = struct {
    azimuth: f64,
    view: f64,
    glare_lx: f64,
    glare_level: f64,
    low_level: f64,
    heat: f64,
    cold: f64,
    lamp: []const u8,
    lamp_lx: f64,
    shade: f64,
    hold_s: f64,

    pub fn of(input: rk.Input) Settings {
        return .{
            .azimuth = input.number("window_azimuth", 180),
            .view = input.number("view_deg", 80),
            .glare_lx = input.number("glare_lx", 900),
            .glare_level = input.number("glare_level", 70),
            .low_level = input.number("low_level", 90),
            .heat = input.number("heat_c", 24.5),
            .cold = input.number("cold_c", 20),
            .lamp = input.text("lamp", "light.main"),
            .lamp_lx = input.number("lamp_lx", 0),
            .shade = between(input.number("shade", 85) / 100, 0, 0.98),
            .hold_s = 60 * input.number("hold_min", 20),
        };
    }
};

pub const Wish = struct { level: f64, reason: []const u8 };

/// glare, heat: why the blind is closed now; seen: when glare was last there.
pub const Memory = struct {
    glare: bool = false,
    heat: bool = false,
    seen: f64 = -1e12,

    /// Where the blind should stand that stands at `level` now.
    pub fn wish(self: *Memory, event: rk.Event, level: f64, now: f64, s: Settings) Wish {
        const elevation = event.sun_elevation orelse return .{ .level = level, .reason = "no sun known" };
        const used = event.occupied or !std.mem.eql(u8, event.meeting, "none");
        const warmth = event.readings.map.get("temperature");
        if (!facing(event, elevation, s)) {
            self.glare = false;
            self.heat = false;
            return .{ .level = 0, .reason = "the sun is not in the window" };
        }
        self.weighGlare(used, openLight(event, level, s), now, s);
        if (warmth) |degrees| {
            const limit = if (used) s.heat + band else s.heat;
            self.heat = degrees >= limit or (self.heat and degrees > limit - 2 * band);
        } else self.heat = false;
        const shaded = if (elevation < low) s.low_level else s.glare_level;
        if (self.heat and !used) return .{ .level = 100, .reason = "warm and nobody here: shaded" };
        if (self.glare) return .{ .level = shaded, .reason = "glare" };
        if (self.heat) return .{ .level = s.glare_level, .reason = "warm: shaded" };
        if (!used and (warmth orelse s.cold + 1) <= s.cold)
            return .{ .level = 0, .reason = "cool and nobody here: the sun may warm it" };
        return .{ .level = 0, .reason = "no glare" };
    }

    /// Glare matters to people only; once they are shaded it is over when it has been for a while.
    fn weighGlare(self: *Memory, used: bool, light: ?f64, now: f64, s: Settings) void {
        const lux = light orelse s.glare_lx;
        const limit = if (self.glare) s.glare_lx * relief else s.glare_lx;
        if (used and lux >= limit) {
            self.glare = true;
            self.seen = now;
        } else if (now - self.seen >= s.hold_s or now < self.seen) {
            self.glare = false;
        }
    }
};

fn facing(event: rk.Event, elevation: f64, s: Settings) bool {
    const azimuth = event.sun_azimuth orelse return false;
    if (!(elevation > horizon)) return false;
    const beside = @mod(azimuth - s.azimuth + 540, 360) - 180;
    return @abs(beside) <= s.view;
}

/// The light there would be with an open blind and without lamps; null when nobody measures.
fn openLight(event: rk.Event, level: f64, s: Settings) ?f64 {
    const measured = event.readings.map.get("illuminance") orelse return null;
    const lamps = rk.asNumber(event.reported.map.get(s.lamp)) orelse 0;
    const sun = @max(0, measured - s.lamp_lx * between(lamps, 0, 100) / 100);
    return sun / (1 - s.shade * level / 100);
}

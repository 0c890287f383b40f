/* The plugin's side of the world `roomkeeper:room`: exports, the answer's frame, the log. */
#include "roomkeeper.h"

#define RK_STATE 16384u

__attribute__((import_module("$root"), import_name("log"))) void host_log(const char *level,
                                                                          size_t level_len,
                                                                          const char *message,
                                                                          size_t message_len);

void rk_log(const char *level, rk_str message) {
    host_log(level, rk_lit(level).len, message.at, message.len);
}

static rk_out *begin(rk_answer *answer, rk_str event, rk_str actuator) {
    rk_out *out = &answer->json;
    rk_put(out, answer->commands++ > 0 ? ",{\"event\":" : "{\"event\":");
    rk_put_quoted(out, event);
    rk_put(out, ",\"actuator\":");
    rk_put_quoted(out, actuator);
    rk_put(out, ",\"value\":");
    return out;
}

static void end(rk_out *out, double lease_s, rk_str reason) {
    rk_put(out, ",\"lease_s\":");
    rk_put_number(out, lease_s, 3);
    rk_put(out, ",\"reason\":");
    rk_put_quoted(out, reason);
    rk_put(out, "}");
}

void rk_command(rk_answer *answer, rk_str event, rk_str actuator, double value, double lease_s,
                rk_str reason) {
    rk_out *out = begin(answer, event, actuator);
    rk_put_number(out, value, 3);
    end(out, lease_s, reason);
}

void rk_command_text(rk_answer *answer, rk_str event, rk_str actuator, rk_str value, double lease_s,
                     rk_str reason) {
    rk_out *out = begin(answer, event, actuator);
    rk_put_quoted(out, value);
    end(out, lease_s, reason);
}

void rk_put_people(rk_out *out, const rk_json *event) {
    double count = rk_number(event, "count", 0.0);
    if (!rk_flag(event, "occupied", false)) {
        rk_put(out, "nobody here");
    } else if (count >= 1.0) {
        rk_put_number(out, count, 0);
        rk_put(out, count < 1.5 ? " person" : " people");
    } else {
        rk_put(out, "somebody here");
    }
    rk_str intent = rk_text(event, "intent", rk_lit(""));
    if (intent.len > 0 && intent.len <= 64) {
        rk_put(out, ", ");
        rk_put_str(out, intent);
    }
}

static rk_str *result(rk_str text) {
    static rk_str kept;
    kept = text;
    return &kept;
}

__attribute__((export_name("describe"))) rk_str *describe(void) {
    return result(rk_lit(rk_describe));
}

/* An empty answer is none: the host counts it as a failure of the call. */
__attribute__((export_name("handle"))) rk_str *handle(const char *at, size_t len) {
    rk_json *input = rk_input((rk_str){at, len});
    if (input == NULL || input->kind != RK_OBJECT) {
        rk_log("error", rk_lit("the input is not a JSON object this plugin can read"));
        return result(rk_lit(""));
    }
    rk_answer answer = {0};
    rk_out state = {0};
    rk_put(&answer.json, "{\"commands\":[");
    rk_handle(input, &answer, &state);
    rk_put(&answer.json, "],\"state\":");
    rk_put_quoted(&answer.json, (rk_str){state.at, state.len});
    rk_put(&answer.json, "}");
    if (answer.json.broken || state.broken || state.len > RK_STATE) {
        rk_log("error", rk_lit("the answer does not fit"));
        return result(rk_lit(""));
    }
    return result((rk_str){answer.json.at, answer.json.len});
}

__attribute__((export_name("cabi_post_handle"))) void post_handle(rk_str *given) {
    (void)given;
    rk_reset();
}

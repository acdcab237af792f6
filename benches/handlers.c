/* Plugins for the measurements: HANDLERS handlers of pre_request that look at the path, and one of
 * post_request; or, with ANSWER, one that answers by itself. */
#include <string.h>
#include "tricorn.h"

static const tricorn_http *http;
static const tricorn_response *response;

static int32_t init(const tricorn_host *host, tricorn_str options, void **module, tricorn_buffer *error) {
    (void)options, (void)module, (void)error;
    http = host->get_interface(host->ctx, (tricorn_str)TRICORN_TEXT(TRICORN_INTERFACE_HTTP));
    response = host->get_interface(host->ctx, (tricorn_str)TRICORN_TEXT(TRICORN_INTERFACE_RESPONSE));
    return http && response ? TRICORN_OK : TRICORN_UNSUPPORTED;
}

static int32_t look(void *state, const tricorn_event *event, const tricorn_host *host) {
    tricorn_str path;
    (void)state, (void)host;
    http->path(((const tricorn_request_event *)event)->request, &path);
    return path.len ? TRICORN_CONTINUE : TRICORN_STOP;
}

static int32_t answer(void *state, const tricorn_event *event, const tricorn_host *host) {
    static const tricorn_header headers[] = {
        {TRICORN_TEXT("Content-Type"), TRICORN_TEXT("text/plain; charset=utf-8")}};
    static const tricorn_answer hello = {.struct_size = sizeof hello, .status = 200, .file = -1,
        .headers = headers, .header_count = 1, .body = TRICORN_TEXT("Hello, world!")};
    (void)state, (void)host;
    response->respond(((const tricorn_request_event *)event)->request, &hello);
    return TRICORN_RESPOND;
}

static int32_t done(void *state, const tricorn_event *event, const tricorn_host *host) {
    static uint64_t sent;
    (void)state, (void)host;
    sent += ((const tricorn_done_event *)event)->sent;
    return TRICORN_CONTINUE;
}

#define LOOK(text) {.struct_size = sizeof(tricorn_handler), .event = TRICORN_EVENT_PRE_REQUEST, \
                    .name = TRICORN_TEXT(text), .call = look}
static const tricorn_handler handlers[] = {
#ifdef ANSWER
    {.struct_size = sizeof(tricorn_handler), .event = TRICORN_EVENT_PRE_REQUEST,
     .name = TRICORN_TEXT("answer"), .call = answer},
#else
    LOOK("a"),
#if HANDLERS > 1
    LOOK("b"), LOOK("c"), LOOK("d"), LOOK("e"), LOOK("f"), LOOK("g"), LOOK("h"), LOOK("i"),
#endif
    {.struct_size = sizeof(tricorn_handler), .event = TRICORN_EVENT_POST_REQUEST,
     .name = TRICORN_TEXT("done"), .call = done},
#endif
};
static const tricorn_plugin plugins[] = {{.struct_size = sizeof(tricorn_plugin),
    .flags = TRICORN_PLUGIN_THREAD_SAFE, .id = TRICORN_TEXT("bench"), .handlers = handlers,
    .handler_count = sizeof handlers / sizeof *handlers, .handler_stride = sizeof(tricorn_handler),
    .module_init = init}};
static const tricorn_entry entry = {.magic = TRICORN_MAGIC, .struct_size = sizeof(tricorn_entry),
    .abi_major = TRICORN_ABI_MAJOR, .abi_minor = TRICORN_ABI_MINOR,
    .build_flags = TRICORN_BUILD_NO_PANICS, .vendor = TRICORN_TEXT(TRICORN_VENDOR),
    .plugins = plugins, .plugin_count = 1, .plugin_stride = sizeof(tricorn_plugin)};

const tricorn_entry *tricorn_plugin_entry_v1(const tricorn_host *host) {
    (void)host, (void)look, (void)answer, (void)done;
    return &entry;
}

/* A whole plugin in C, against the header alone:
 *
 *   cc -shared -fPIC -I hooks-api/include -o hello.so examples/plugin-c/hello.c
 *   tricorn --plugin ./hello.so app:application
 */
#include <string.h>
#include "tricorn.h"

static const tricorn_response *response;

static int32_t init(const tricorn_host *host, tricorn_str options, void **module, tricorn_buffer *error) {
    (void)options, (void)module, (void)error;
    response = host->get_interface(host->ctx, (tricorn_str)TRICORN_TEXT(TRICORN_INTERFACE_RESPONSE));
    return response ? TRICORN_OK : TRICORN_UNSUPPORTED;
}

/* pre_request: answers /c by itself, and lets everything else through. */
static int32_t greet(void *state, const tricorn_event *event, const tricorn_host *host) {
    tricorn_request *request = ((const tricorn_request_event *)event)->request;
    const tricorn_http *http = host->get_interface(host->ctx, (tricorn_str)TRICORN_TEXT(TRICORN_INTERFACE_HTTP));
    tricorn_answer answer = {.struct_size = sizeof answer, .status = 200,
                             .body = TRICORN_TEXT("Hello from C\n"), .file = -1};
    tricorn_str path;
    (void)state;
    if (!http || http->path(request, &path) < 0 || path.len != 2 || memcmp(path.ptr, "/c", 2) != 0)
        return TRICORN_CONTINUE;
    return response->respond(request, &answer) < 0 ? TRICORN_ERROR : TRICORN_RESPOND;
}

static const tricorn_handler handlers[] = {
    {.struct_size = sizeof(tricorn_handler), .event = TRICORN_EVENT_PRE_REQUEST,
     .name = TRICORN_TEXT("greet"), .call = greet}};
static const tricorn_plugin plugins[] = {
    {.struct_size = sizeof(tricorn_plugin), .flags = TRICORN_PLUGIN_THREAD_SAFE,
     .id = TRICORN_TEXT("org.example.hello-c"), .version = TRICORN_TEXT("1.0"), .handlers = handlers,
     .handler_count = 1, .handler_stride = sizeof(tricorn_handler), .module_init = init}};
static const tricorn_entry entry = {
    .magic = TRICORN_MAGIC, .struct_size = sizeof(tricorn_entry), .abi_major = TRICORN_ABI_MAJOR,
    .abi_minor = TRICORN_ABI_MINOR, .build_flags = TRICORN_BUILD_NO_PANICS,
    .vendor = TRICORN_TEXT(TRICORN_VENDOR), .toolchain = TRICORN_TEXT("cc"),
    .plugins = plugins, .plugin_count = 1, .plugin_stride = sizeof(tricorn_plugin)};

const tricorn_entry *tricorn_plugin_entry_v1(const tricorn_host *host) { (void)host; return &entry; }

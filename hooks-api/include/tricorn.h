/*
 * The C ABI between tricorn and its plugins. Made from hooks-api/abi by `make abi`.
 *
 * A plugin is a shared object that exports one function,
 *
 *     const tricorn_entry *tricorn_plugin_entry_v1(const tricorn_host *host);
 *
 * and links against nothing: what it needs of the server it gets through host->get_interface.
 *
 * Growth: a struct that begins with struct_size grows at its end only. Set it to sizeof where you
 * fill such a struct in, and look at it with TRICORN_HAS before you read a field that your oldest
 * server may not know. Tables of functions are found by name and revision.
 *
 * Ownership: what is passed into a call is borrowed until it returns. What one side has allocated
 * the other never frees. Descriptors are static data: nothing is ever unloaded.
 *
 * Where a function may be called is said in brackets: [arbiter] the supervising process;
 * [worker] a worker's main thread; [request] the thread that called the handler, during that call;
 * [any] any thread. examples/plugin-c is a whole plugin.
 */

#ifndef TRICORN_H
#define TRICORN_H

#include <stddef.h>
#include <stdint.h>

/*
 Verdict: go on with the next handler. As a code: done.
 */
#define TRICORN_CONTINUE 0

/*
 Verdict: skip the later handlers of this event, and proceed.
 */
#define TRICORN_STOP 1

/*
 Verdict: the answer has been given with `respond`; the application is not
 called. On `request_head` and `pre_request` only.
 */
#define TRICORN_RESPOND 2

/*
 Verdict: close the connection without an answer. On `conn_open`, `request_head` and
 `pre_request` only.
 */
#define TRICORN_CLOSE 3

/*
 Verdict: the handler has taken a token with `suspend`; whoever holds it decides later, on
 any thread. On `request_head` and `pre_request` only.
 */
#define TRICORN_PENDING 4

/*
 Code: done.
 */
#define TRICORN_OK 0

/*
 Code and verdict: failed. What follows is the event's rule.
 */
#define TRICORN_ERROR -1

/*
 Code and verdict: panicked, and was caught. The instance is not called again; another is made.
 */
#define TRICORN_PANIC -2

/*
 Code: this server, or this build of it, cannot.
 */
#define TRICORN_UNSUPPORTED -3

/*
 Code: an argument is not what it must be.
 */
#define TRICORN_INVALID -4

/*
 Code: a handle was used after the call it was passed to, or on another thread.
 */
#define TRICORN_STALE -5

/*
 Code: an event was fired from within its own handler.
 */
#define TRICORN_REENTRANT -6

/*
 Code: possible only while the module is made.
 */
#define TRICORN_FROZEN -7

/*
 Code: not in this process, or not on this thread.
 */
#define TRICORN_WRONG_PROCESS -8

/*
 Code: no room left.
 */
#define TRICORN_FULL -9

/*
 Code: too late, the answer is given or the head is sent; or too early for it.
 */
#define TRICORN_TOO_LATE -10

/*
 Code: the instance has panicked and must not be called.
 */
#define TRICORN_POISONED -11

/*
 Code: there is none of this name or number.
 */
#define TRICORN_NOT_FOUND -12

/*
 Log level: the server or a worker is in trouble. Plugins log `LEVEL_ERROR` at most.
 */
#define TRICORN_LEVEL_CRITICAL 0

/*
 Log level: an error.
 */
#define TRICORN_LEVEL_ERROR 1

/*
 Log level: a warning.
 */
#define TRICORN_LEVEL_WARN 2

/*
 Log level: information.
 */
#define TRICORN_LEVEL_INFO 3

/*
 Log level: for whoever looks for a fault.
 */
#define TRICORN_LEVEL_DEBUG 4

/*
 Log level: for whoever looks very hard.
 */
#define TRICORN_LEVEL_TRACE 5

/*
 Process: the arbiter.
 */
#define TRICORN_ROLE_ARBITER 0

/*
 Process: a worker.
 */
#define TRICORN_ROLE_WORKER 1

/*
 Process: a child that tries a plugin out and then ends: before the server starts or reloads, or
 for `tricorn plugin`.
 */
#define TRICORN_ROLE_PROBE 2

/*
 `[arbiter]` [`Event`]: the pidfile is written, nothing is bound.
 */
#define TRICORN_EVENT_ON_STARTING 0

/*
 `[arbiter]` [`Event`]: HUP, and the new configuration is accepted.
 */
#define TRICORN_EVENT_ON_RELOAD 1

/*
 `[arbiter]` [`Event`]: the sockets are listening, no worker is forked.
 */
#define TRICORN_EVENT_WHEN_READY 2

/*
 `[arbiter]` [`WorkerEvent`]: just before a fork.
 */
#define TRICORN_EVENT_PRE_FORK 3

/*
 `[worker]` [`WorkerEvent`]: just after it.
 */
#define TRICORN_EVENT_POST_FORK 4

/*
 `[worker]` [`WorkerEvent`]: the process is set up, the application is not loaded.
 */
#define TRICORN_EVENT_WORKER_INIT 5

/*
 `[worker]` [`WorkerEvent`]: the application is loaded.
 */
#define TRICORN_EVENT_POST_WORKER_INIT 6

/*
 `[worker]` [`WorkerEvent`]: INT or QUIT.
 */
#define TRICORN_EVENT_WORKER_INT 7

/*
 `[worker]` [`WorkerEvent`]: ABRT, the worker took too long.
 */
#define TRICORN_EVENT_WORKER_ABORT 8

/*
 `[arbiter]` [`Event`]: in the child that is about to become the next arbiter.
 */
#define TRICORN_EVENT_PRE_EXEC 9

/*
 `[request]` [`RequestEvent`]: a request is ready to run. In a worker with one thread the connection
 is held meanwhile.
 */
#define TRICORN_EVENT_PRE_REQUEST 10

/*
 `[request]` [`DoneEvent`]: it has ended, exactly once for each that `pre_request` was fired for.
 */
#define TRICORN_EVENT_POST_REQUEST 11

/*
 `[arbiter]` [`WorkerEvent`]: a worker is reaped.
 */
#define TRICORN_EVENT_CHILD_EXIT 12

/*
 `[worker]` [`WorkerEvent`]: the worker leaves.
 */
#define TRICORN_EVENT_WORKER_EXIT 13

/*
 `[arbiter]` [`CountEvent`]: the number of workers was set.
 */
#define TRICORN_EVENT_NWORKERS_CHANGED 14

/*
 `[arbiter]` [`Event`]: all workers are gone.
 */
#define TRICORN_EVENT_ON_EXIT 15

/*
 For Python handlers only: its value is a Python object.
 */
#define TRICORN_EVENT_SSL_CONTEXT 16

/*
 `[request]` [`RequestEvent`]: a head is parsed, its body is not read, and no `100 Continue` sent.
 The connection is held meanwhile: the handler must be quick, or suspend the request.
 */
#define TRICORN_EVENT_REQUEST_HEAD 17

/*
 `[request]` [`RequestEvent`]: the head of an answer is about to be written, and may be edited.
 Not for the pages of requests that were refused as malformed.
 */
#define TRICORN_EVENT_RESPONSE_START 18

/*
 `[request]` [`DoneEvent`]: the access record is ready; refused requests too.
 */
#define TRICORN_EVENT_ACCESS 19

/*
 `[worker]` [`ErrorEvent`]: a request was refused or malformed.
 */
#define TRICORN_EVENT_REQUEST_ERROR 20

/*
 `[request]` [`ConnectionEvent`]: a connection is accepted, and may be closed.
 */
#define TRICORN_EVENT_CONN_OPEN 21

/*
 `[request]` [`ConnectionEvent`]: a connection is gone.
 */
#define TRICORN_EVENT_CONN_CLOSE 22

/*
 `[arbiter]` [`WorkerEvent`]: a worker says that it serves.
 */
#define TRICORN_EVENT_WORKER_READY 23

/*
 `[arbiter]` [`WorkerEvent`]: a worker is about to be aborted.
 */
#define TRICORN_EVENT_WORKER_TIMEOUT 24

/*
 `[arbiter]` [`SignalEvent`]: a signal is about to be acted on.
 */
#define TRICORN_EVENT_SIGNAL_RECEIVED 25

/*
 `[worker]` [`WorkerEvent`]: the worker stops accepting.
 */
#define TRICORN_EVENT_DRAIN_START 26

/*
 `[arbiter]` [`Event`] and `[worker]` [`WorkerEvent`]: USR1.
 */
#define TRICORN_EVENT_LOG_REOPEN 27

/*
 Event flag: fired in the arbiter, so the handler's state is the module.
 */
#define TRICORN_IN_ARBITER 1

/*
 Event flag: made up by a validator or a test, not by a server at work.
 */
#define TRICORN_SYNTHETIC 2

/*
 Reason of an end: the whole answer was handed to the kernel.
 */
#define TRICORN_END_COMPLETE 0

/*
 Reason of an end: the client went away.
 */
#define TRICORN_END_CLIENT_GONE 1

/*
 Reason of an end: the client did not read for `write_timeout`.
 */
#define TRICORN_END_WRITE_TIMEOUT 2

/*
 Reason of an end: the application failed, or sent less than it promised, after the head was out.
 */
#define TRICORN_END_CUT_SHORT 3

/*
 Reason of an end: the application took the socket over.
 */
#define TRICORN_END_TAKEN_OVER 4

/*
 Reason of an end: a handler closed the connection.
 */
#define TRICORN_END_CLOSED 5

/*
 The bytes `TRICORN1`, read as a little-endian number: the first bytes of every entry and of the note.
 */
#define TRICORN_MAGIC 3552867656426672724

/*
 The major version of this ABI. It is part of the entry function's name.
 */
#define TRICORN_ABI_MAJOR 1

/*
 The minor version of this ABI.
 */
#define TRICORN_ABI_MINOR 1

/*
 Build flag: panics unwind, and can be caught.
 */
#define TRICORN_BUILD_PANIC_UNWIND 1

/*
 Build flag: built without optimization.
 */
#define TRICORN_BUILD_DEBUG 2

/*
 Build flag: written in a language without panics, such as C: `BUILD_PANIC_UNWIND` says nothing.
 */
#define TRICORN_BUILD_NO_PANICS 4

/*
 Plugin flag: its handlers may be called by several threads at once. Without it the server calls
 one at a time, which costs a lock.
 */
#define TRICORN_PLUGIN_THREAD_SAFE 1

/*
 Plugin flag: requests are not served without it. Should it be set aside, they are answered with
 503, unless the operator has said `required: False`. For whatever keeps requests out.
 */
#define TRICORN_PLUGIN_REQUIRED 2

/*
 Handler flag: an event that this server does not know is passed over; without it such a
 plugin is refused.
 */
#define TRICORN_HANDLER_OPTIONAL_EVENT 1

/*
 Kind of a metric: a count that only grows.
 */
#define TRICORN_METRIC_COUNTER 0

/*
 Kind of a metric: a number that rises and falls. What a worker has added to it is taken back when
 the worker is gone, however it went.
 */
#define TRICORN_METRIC_GAUGE 1

/*
 Kind of a metric: a distribution of durations.
 */
#define TRICORN_METRIC_HISTOGRAM 2

/*
 A zone is new, and filled with zeros.
 */
#define TRICORN_ZONE_FRESH 0

/*
 A zone was made for an earlier configuration, and holds what was stored in it since.
 */
#define TRICORN_ZONE_INHERITED 1

/*
 Where `lookup` of [`AccessRecord`] looks: the request's headers, and of several of one
 name the last.
 */
#define TRICORN_LOOKUP_REQUEST_HEADER 0

/*
 Where `lookup` of [`AccessRecord`] looks: the answer's headers, and of several of one
 name the last.
 */
#define TRICORN_LOOKUP_RESPONSE_HEADER 1

/*
 Where `lookup` of [`AccessRecord`] looks: the application's environ, as far as
 `access_log_format` names its keys.
 */
#define TRICORN_LOOKUP_ENVIRON 2

/*
 Borrowed bytes, not ended by a NUL. `ptr` may be null only if `len` is 0.

 Names, ids and messages are UTF-8. What comes from or goes to the wire is bytes, in practice
 ASCII or Latin-1.
 */
typedef struct tricorn_str {
  /*
   The first byte.
   */
  const uint8_t *ptr;
  /*
   How many there are.
   */
  size_t len;
} tricorn_str;

/*
 A header field.
 */
typedef struct tricorn_header {
  /*
   Its name: a token (RFC 9110 section 5.1).
   */
  struct tricorn_str name;
  /*
   Its value: no CR, no LF, no NUL (RFC 9110 section 5.5).
   */
  struct tricorn_str value;
} tricorn_header;

/*
 The beginning of every event's struct, and the whole of an event about the server itself.
 */
typedef struct tricorn_event {
  /*
   The size of the whole struct.
   */
  uint32_t struct_size;
  /*
   An `EVENT_` number.
   */
  uint32_t event;
  /*
   `IN_ARBITER`, `SYNTHETIC`.
   */
  uint64_t flags;
  /*
   The process it is fired in.
   */
  int32_t pid;
  /*
   0.
   */
  int32_t reserved;
} tricorn_event;

/*
 An event about a worker.
 */
typedef struct tricorn_worker_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   Its number in the order of forks.
   */
  uint64_t age;
  /*
   Its id among the living, from 1; 0 if it has none yet.
   */
  uint32_t id;
  /*
   Its process id; 0 before the fork.
   */
  int32_t pid;
  /*
   `child_exit`: the code it exited with; -1 if a signal killed it, and elsewhere.
   */
  int32_t exit_code;
  /*
   `child_exit`: the signal that killed it, or 0.
   */
  int32_t signal;
  /*
   `child_exit`: why it is gone: a `CAUSE_` text, or one of a later server's.
   */
  struct tricorn_str cause;
} tricorn_worker_event;

/*
 The number of workers was set.
 */
typedef struct tricorn_count_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   To this.
   */
  int64_t new_count;
  /*
   From this; -1 at the first time.
   */
  int64_t old_count;
} tricorn_count_event;

/*
 A signal.
 */
typedef struct tricorn_signal_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   Its number.
   */
  int32_t number;
  /*
   0.
   */
  int32_t reserved;
} tricorn_signal_event;

/*
 A request, valid during the call it was passed to and on the thread that call is made on. A use
 beyond that is noticed and answered with `STALE`.
 */
typedef struct tricorn_request tricorn_request;

/*
 An event about a request that has not ended.
 */
typedef struct tricorn_request_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   The request, for the functions of [`crate::Http`] and [`crate::Response`]: valid during this
   call, on this thread.
   */
  struct tricorn_request *request;
} tricorn_request_event;

/*
 A request has ended.
 */
typedef struct tricorn_done_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   The request, to be read: valid during this call, on this thread.
   */
  struct tricorn_request *request;
  /*
   From its head to its end, in nanoseconds.
   */
  uint64_t duration;
  /*
   Bytes of content that were sent: neither head nor framing.
   */
  uint64_t sent;
  /*
   The status that was sent; 0 if none was.
   */
  uint32_t status;
  /*
   An `END_` number.
   */
  uint32_t end;
} tricorn_done_event;

/*
 A request was refused.
 */
typedef struct tricorn_error_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   The status it was refused with.
   */
  uint32_t status;
  /*
   0.
   */
  uint32_t reserved;
  /*
   Why.
   */
  struct tricorn_str reason;
} tricorn_error_event;

/*
 An event about a connection.
 */
typedef struct tricorn_connection_event {
  /*
   The beginning.
   */
  struct tricorn_event header;
  /*
   Its number, unique in this worker's life.
   */
  uint64_t number;
  /*
   The address of the peer, without its port; empty for a unix socket.
   */
  struct tricorn_str peer;
  /*
   The address of the listener, as the log shows it.
   */
  struct tricorn_str local;
  /*
   Requests that came by it so far.
   */
  uint64_t requests;
  /*
   The peer's port, or 0.
   */
  uint32_t peer_port;
  /*
   0.
   */
  uint32_t reserved;
} tricorn_connection_event;

/*
 The server, to one plugin: valid as long as the module it was passed to.
 */
typedef struct tricorn_host {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   The major version of the server's ABI.
   */
  uint16_t abi_major;
  /*
   The minor version of the server's ABI.
   */
  uint16_t abi_minor;
  /*
   Who is calling: the first argument of most functions.
   */
  void *ctx;
  /*
   The version of the server.
   */
  struct tricorn_str server_version;
  /*
   The greatest `LEVEL_` that is logged; it may change. Look at it before formatting.
   */
  const int32_t *log_level;
  /*
   `[any]` A table of functions by its name, such as `tricorn.http/1`; null if there is none.
   Tables live for ever.
   */
  const void *(*get_interface)(void *ctx, struct tricorn_str name);
  /*
   `[any]` Logs a message of one or more lines to the server's error log, under the plugin's
   id, or under `target` if it is not empty. `file` may be empty.
   */
  void (*log)(void *ctx,
              int32_t level,
              struct tricorn_str target,
              struct tricorn_str message,
              struct tricorn_str file,
              uint32_t line);
} tricorn_host;

/*
 A worker, to `worker_create`.
 */
typedef struct tricorn_worker_info {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   Its id among the living, from 1.
   */
  uint32_t id;
  /*
   Its number in the order of forks.
   */
  uint64_t age;
  /*
   Its process id.
   */
  int32_t pid;
  /*
   Threads that may call handlers at once.
   */
  uint32_t threads;
  /*
   Workers that the server keeps.
   */
  uint32_t workers;
  /*
   0.
   */
  uint32_t reserved;
} tricorn_worker_info;

/*
 `tricorn.worker/1`
 */
typedef struct tricorn_worker {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   `[any]` Asks the worker to leave when its requests are answered. `WRONG_PROCESS` in the arbiter.
   */
  int32_t (*stop)(void *ctx);
  /*
   `[any]` 1 once the worker is leaving, else 0.
   */
  int32_t (*is_stopping)(void *ctx);
  /*
   `[worker]` Starts a thread that takes no signals. The worker waits a moment for it before it
   leaves, so it should look at `wait_for_stop`. `WRONG_PROCESS` in the arbiter, which must have
   no threads.
   */
  int32_t (*spawn)(void *ctx, struct tricorn_str name, void (*body)(void *argument), void *argument);
  /*
   `[any]` Sleeps until the worker is leaving, for so many milliseconds at most; 1 if it is
   leaving, else 0. Not on a thread that runs requests.
   */
  int32_t (*wait_for_stop)(void *ctx, uint64_t milliseconds);
  /*
   `[any]` Says that the calling thread, one of `spawn`, has panicked, and does no more what it was
   there for: the instance is not called again, and another is made, as after a handler's panic.
   `WRONG_PROCESS` on any other thread.
   */
  int32_t (*panicked)(void *ctx);
} tricorn_worker;

/*
 One handler of a plugin: static data.
 */
typedef struct tricorn_handler {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   The event: an `EVENT_` number.
   */
  uint32_t event;
  /*
   Lower runs first; 0 unless there is a reason.
   */
  int32_t priority;
  /*
   `HANDLER_` flags.
   */
  uint32_t flags;
  /*
   Its name, unique among the plugin's handlers of this event.
   */
  struct tricorn_str name;
  /*
   Handles the event, and returns a verdict or a negative code. `state` is the module in the
   arbiter, the instance in a worker. `event` points to the struct of that event, whose header
   says how long it is. On which thread is said with each event.
   */
  int32_t (*call)(void *state, const struct tricorn_event *event, const struct tricorn_host *host);
  /*
   Handlers or plugins that it runs before, by name or id.
   */
  const struct tricorn_str *before;
  /*
   How many.
   */
  size_t before_count;
  /*
   Handlers or plugins that it runs after.
   */
  const struct tricorn_str *after;
  /*
   How many.
   */
  size_t after_count;
} tricorn_handler;

/*
 A sink of the server's, for results of any length. Written with `buf_write` of [`crate::Basics`],
 during the call it was passed to.
 */
typedef struct tricorn_buffer tricorn_buffer;

/*
 One plugin: static data.

 It lives twice. Its *module* is made once for each configuration, in the arbiter before any
 worker is forked; its *instance* once in each worker, after the fork. What belongs to one
 process (threads, sockets, random numbers) belongs to the instance.
 */
typedef struct tricorn_plugin {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   `PLUGIN_` flags.
   */
  uint32_t flags;
  /*
   Unique and for ever, such as `org.example.auth`.
   */
  struct tricorn_str id;
  /*
   Its version: for messages.
   */
  struct tricorn_str version;
  /*
   One line on what it does.
   */
  struct tricorn_str description;
  /*
   Its handlers.
   */
  const struct tricorn_handler *handlers;
  /*
   How many.
   */
  size_t handler_count;
  /*
   From one to the next, in bytes.
   */
  size_t handler_stride;
  /*
   `[arbiter]` Makes the module of a configuration. `options` is a JSON object. On failure it
   writes one line to `error`. May be null: the module is then a null pointer.

   It must start no thread. The host pointer is valid as long as the module is.
   */
  int32_t (*module_init)(const struct tricorn_host *host,
                         struct tricorn_str options,
                         void **module,
                         struct tricorn_buffer *error);
  /*
   `[arbiter]` Takes a module down: no worker uses its configuration any longer. May be null.
   */
  void (*module_destroy)(void *module);
  /*
   `[worker]` Makes the instance of a worker, after the fork and before `post_fork`; again
   after a panic, then on the thread that had it, be it one of the plugin's own. May be null: the instance is then the module.
   */
  int32_t (*worker_create)(void *module,
                           const struct tricorn_host *host,
                           const struct tricorn_worker_info *worker,
                           void **instance,
                           struct tricorn_buffer *error);
  /*
   `[worker]` Takes an instance down, after `worker_exit` and before the process ends. Not
   called for an instance that has panicked. May be null.
   */
  void (*worker_destroy)(void *instance);
  /*
   `[request]` Lets go of what the plugin has kept with a request; once for each value that is
   not null. May be null.
   */
  void (*request_drop)(void *instance, void *value);
  /*
   `[any]` A table that the plugin offers to the server, by its name; null if it has none.
   May be null.
   */
  const void *(*get_interface)(void *module, struct tricorn_str name);
} tricorn_plugin;

/*
 The description of a plugin file: static data.
 */
typedef struct tricorn_entry {
  /*
   [`MAGIC`].
   */
  uint64_t magic;
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   [`ABI_MAJOR`] of the headers it was built with.
   */
  uint16_t abi_major;
  /*
   [`ABI_MINOR`] of the headers it was built with.
   */
  uint16_t abi_minor;
  /*
   The least minor version of the server that it can live with.
   */
  uint16_t abi_minor_required;
  /*
   0.
   */
  uint16_t reserved[3];
  /*
   `BUILD_` flags.
   */
  uint64_t build_flags;
  /*
   [`VENDOR`].
   */
  struct tricorn_str vendor;
  /*
   The compiler: for messages.
   */
  struct tricorn_str toolchain;
  /*
   The version of the SDK, or empty: for messages.
   */
  struct tricorn_str sdk_version;
  /*
   The plugins in the file.
   */
  const struct tricorn_plugin *plugins;
  /*
   How many.
   */
  size_t plugin_count;
  /*
   From one to the next, in bytes.
   */
  size_t plugin_stride;
} tricorn_entry;

/*
 The same, for whoever wants to know before running any of the file: the content of the section
 [`NOTE_SECTION`].
 */
typedef struct tricorn_note {
  /*
   [`MAGIC`].
   */
  uint64_t magic;
  /*
   [`ABI_MAJOR`].
   */
  uint16_t abi_major;
  /*
   [`ABI_MINOR`].
   */
  uint16_t abi_minor;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The compiler, filled up with NUL.
   */
  uint8_t toolchain[48];
} tricorn_note;

/*
 A message for the error log.
 */
typedef struct tricorn_log_record {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   A `LEVEL_` number.
   */
  int32_t level;
  /*
   The process that says it.
   */
  int32_t pid;
  /*
   The line in `file`, or 0.
   */
  uint32_t line;
  /*
   The time, in nanoseconds since 1970.
   */
  uint64_t unix_ns;
  /*
   Which part of the server, or which plugin, says it.
   */
  struct tricorn_str target;
  /*
   The message: one or more lines, without an end.
   */
  struct tricorn_str message;
  /*
   The source file, or empty.
   */
  struct tricorn_str file;
} tricorn_log_record;

/*
 A request that has ended, for the access log: also one that was refused. Valid during the call.
 */
typedef struct tricorn_access_record {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   The status that was sent; 0 if none was.
   */
  uint32_t status;
  /*
   The process.
   */
  int32_t pid;
  /*
   The reason of the end: an `END_` number.
   */
  uint32_t end;
  /*
   The time of the end, in nanoseconds since 1970.
   */
  uint64_t unix_ns;
  /*
   From the head to the end, in nanoseconds.
   */
  uint64_t duration;
  /*
   Bytes of content that were sent.
   */
  uint64_t sent;
  /*
   The client's address; empty for a unix socket.
   */
  struct tricorn_str client;
  /*
   The user name of Basic authentication (RFC 7617), or empty.
   */
  struct tricorn_str user;
  /*
   The first line as it was sent; of a head that could not be read, what there is of it.
   */
  struct tricorn_str request_line;
  /*
   The method; empty for a head that could not be read, and so is what follows.
   */
  struct tricorn_str method;
  /*
   The target as it was sent.
   */
  struct tricorn_str target;
  /*
   The path, decoded.
   */
  struct tricorn_str path;
  /*
   The query as it was sent.
   */
  struct tricorn_str query;
  /*
   `HTTP/1.1`
   */
  struct tricorn_str protocol;
  /*
   The header Referer, or empty.
   */
  struct tricorn_str referer;
  /*
   The header User-Agent, or empty.
   */
  struct tricorn_str user_agent;
  /*
   The server's own.
   */
  const void *context;
  /*
   `[request]` Looks a value up by its name, in letters of either case, in one of the places
   that the `LOOKUP_` numbers name; null if there is none. Valid as long as the record.
   */
  struct tricorn_str (*lookup)(const void *context, uint32_t place, struct tricorn_str name);
} tricorn_access_record;

/*
 `tricorn.logger/1`: takes the place of the server's logs, named by `logger_class = "plugin:ID"`.

 The functions may be called by several threads at once, with locks of the server's held: they
 must not block for long. What they log themselves goes to standard error.
 */
typedef struct tricorn_logger {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   `[arbiter]` and `[worker]` Opens the log in a process: before the first message, and again in
   each worker, which must not share locks and buffers with the arbiter. On failure it writes
   one line to `error`.
   */
  int32_t (*open)(void *module, void **logger, struct tricorn_buffer *error);
  /*
   `[any]` Takes a message.
   */
  void (*log)(void *logger, const struct tricorn_log_record *record);
  /*
   `[request]` Takes an access record, and its line by the configured format, without an end;
   empty if `accesslog` is not set. May be null.
   */
  void (*access)(void *logger, struct tricorn_str line, const struct tricorn_access_record *record);
  /*
   `[arbiter]` and `[worker]` Opens its files again, after somebody has moved them away. May be null.
   */
  int32_t (*reopen)(void *logger);
  /*
   `[any]` The end of a turn: what was collected is to be written. May be null.
   */
  void (*flush)(void *logger);
  /*
   `[arbiter]` and `[worker]` Lets go of what `open` has made: another one has taken its place, or
   this process, just forked, has one of its own. It must write nothing then. May be null.
   */
  void (*close)(void *logger);
} tricorn_logger;

/*
 `tricorn.access-format/1`: makes the lines of the access log, named by
 `access_log_formatter = "plugin:ID"`.
 */
typedef struct tricorn_access_format {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   `[arbiter]` and `[worker]` Reads a format: `access_log_format` as the operator has written
   it. Called once to check it, and once in each worker. On failure it writes one line to `error`.
   */
  int32_t (*compile)(void *module,
                     struct tricorn_str spec,
                     void **format,
                     struct tricorn_buffer *error);
  /*
   `[request]` Writes the line for a record, without an end. The server escapes control
   characters in it. On failure the line has the built-in format.
   */
  int32_t (*write)(void *format,
                   const struct tricorn_access_record *record,
                   struct tricorn_buffer *line);
  /*
   `[arbiter]` and `[worker]` Lets go of what `compile` has made. May be null.
   */
  void (*drop)(void *format);
} tricorn_access_format;

/*
 A function of the plugin's that a result of any length is given to, in one or more pieces, during
 the call that it was passed to.
 */
typedef void (*tricorn_sink)(void *context, struct tricorn_str piece);

/*
 `tricorn.core/1`
 */
typedef struct tricorn_core {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   Appends bytes to a buffer, on the thread and during the call that it was passed to.
   */
  int32_t (*buf_write)(struct tricorn_buffer *buffer, struct tricorn_str bytes);
  /*
   `[any]` Gives the value of a server's setting as JSON. `NOT_FOUND` if there is none of that
   name, `UNSUPPORTED` if its value is an object of Python's.
   */
  int32_t (*setting)(void *ctx, struct tricorn_str name, tricorn_sink sink, void *context);
  /*
   `[any]` Which process this is: a `ROLE_` number.
   */
  int32_t (*role)(void *ctx);
  /*
   `[any]` The monotonic clock, in nanoseconds: the one measure all processes agree on.
   */
  uint64_t (*now)(void);
} tricorn_core;

/*
 `tricorn.http/1`. Every function is `[request]`. Texts that are given out are borrowed until the
 request's head is changed, or the call ends.
 */
typedef struct tricorn_http {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   The method: a token.
   */
  int32_t (*method)(struct tricorn_request *request, struct tricorn_str *out);
  /*
   The target as it was sent.
   */
  int32_t (*target)(struct tricorn_request *request, struct tricorn_str *out);
  /*
   The path of the target, still percent-encoded.
   */
  int32_t (*path)(struct tricorn_request *request, struct tricorn_str *out);
  /*
   The query of the target without its `?`, still percent-encoded.
   */
  int32_t (*query)(struct tricorn_request *request, struct tricorn_str *out);
  /*
   `http` or `https`, as far as anybody who is trusted says so.
   */
  int32_t (*scheme)(struct tricorn_request *request, struct tricorn_str *out);
  /*
   The version: 256 times the major number, plus the minor; or a negative code.
   */
  int32_t (*version)(struct tricorn_request *request);
  /*
   The client's address without its port, a PROXY header being believed; empty for a unix socket.
   */
  int32_t (*peer)(struct tricorn_request *request, struct tricorn_str *out);
  /*
   The client's port, 0 if there is none; or a negative code.
   */
  int32_t (*peer_port)(struct tricorn_request *request);
  /*
   1 if the peer is in `forwarded_allow_ips`, 0 if not; or a negative code.
   */
  int32_t (*peer_is_trusted)(struct tricorn_request *request);
  /*
   The `nth` field of this name, from 0, in letters of either case; `NOT_FOUND` if there is none.
   The cookies of a request are one field, however many it came with.
   */
  int32_t (*header)(struct tricorn_request *request,
                    struct tricorn_str name,
                    size_t nth,
                    struct tricorn_str *out);
  /*
   The field at this place, from 0, in the order they were sent; `NOT_FOUND` past the last.
   */
  int32_t (*header_at)(struct tricorn_request *request,
                       size_t index,
                       struct tricorn_str *name,
                       struct tricorn_str *value);
  /*
   Sets a field, in place of all of this name. `INVALID` if it is not a field, or one that frames
   the message; `TOO_LATE` unless on `request_head` or `pre_request`.
   */
  int32_t (*header_set)(struct tricorn_request *request,
                        struct tricorn_str name,
                        struct tricorn_str value);
  /*
   Adds a field. As `header_set`.
   */
  int32_t (*header_add)(struct tricorn_request *request,
                        struct tricorn_str name,
                        struct tricorn_str value);
  /*
   Removes all fields of this name; `NOT_FOUND` if there is none. As `header_set`.
   */
  int32_t (*header_remove)(struct tricorn_request *request, struct tricorn_str name);
  /*
   The length of the body; -1 if it is chunked and not read yet, or this is no request.
   */
  int64_t (*content_length)(struct tricorn_request *request);
  /*
   Sets an entry of the application's `environ`, such as `REMOTE_USER`. As `header_set`; keys that
   begin with `wsgi.` are the server's.
   */
  int32_t (*environ_set)(struct tricorn_request *request,
                         struct tricorn_str key,
                         struct tricorn_str value);
  /*
   What this plugin has kept with the request; null if nothing, or if that was kept by an
   instance that has panicked since.
   */
  void *(*kept)(void *ctx, struct tricorn_request *request);
  /*
   Keeps a value with the request, to be found at later events of it and let go of with
   `request_drop`. What was kept before is let go of now.
   */
  int32_t (*keep)(void *ctx, struct tricorn_request *request, void *value);
} tricorn_http;

/*
 An answer of a plugin's own.
 */
typedef struct tricorn_answer {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   The status, from 200 to 599. A 205 with content is `INVALID`.
   */
  uint32_t status;
  /*
   Its fields. `Content-Length`, `Date`, `Server` and what frames the message are the server's: a
   length that is not the content's makes the answer `INVALID`.
   */
  const struct tricorn_header *headers;
  /*
   How many.
   */
  size_t header_count;
  /*
   The content: copied.
   */
  struct tricorn_str body;
  /*
   A plain file to send a part of as the content instead, or -1. The descriptor belongs to the server once the
   call has succeeded.
   */
  int32_t file;
  /*
   0.
   */
  int32_t reserved;
  /*
   Where in the file the content begins.
   */
  uint64_t file_offset;
  /*
   How many bytes of the file it has.
   */
  uint64_t file_length;
} tricorn_answer;

/*
 The right to decide what becomes of a suspended request. One of the functions that take it must
 be called, once.
 */
typedef struct tricorn_resume tricorn_resume;

/*
 `tricorn.response/1`
 */
typedef struct tricorn_response {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   `[request]` Gives the answer, on `request_head` or `pre_request`, before `RESPOND` is
   returned. `TOO_LATE` the second time; `INVALID` if the answer cannot be sent as it is.
   */
  int32_t (*respond)(struct tricorn_request *request, const struct tricorn_answer *answer);
  /*
   `[request]` Takes the request off its thread, on `request_head` or `pre_request`, before
   `PENDING` is returned; returning anything else makes the token void. Meanwhile the connection costs no thread. If nobody decides within
   `timeout`, the client gets 503. If the connection breaks, the request ends, with `END_CLIENT_GONE` and
   `request_drop` of what is kept with it: whoever would decide need not, and gets `STALE`.
   */
  int32_t (*suspend)(struct tricorn_request *request, struct tricorn_resume **token);
  /*
   `[any]` Lets a suspended request go on with the next handler. Takes the token.
   */
  int32_t (*resume)(struct tricorn_resume *token);
  /*
   `[any]` Answers a suspended request. Takes the token, unless it fails with `INVALID`.
   */
  int32_t (*resume_respond)(struct tricorn_resume *token, const struct tricorn_answer *answer);
  /*
   `[any]` Closes the connection of a suspended request. Takes the token.
   */
  int32_t (*resume_close)(struct tricorn_resume *token);
  /*
   `[request]` The status of the answer, from `response_start` on; or a negative code.
   */
  int32_t (*status)(struct tricorn_request *request);
  /*
   `[request]` Sets the status, on `response_start`. One that changes whether the answer has
   content (204, 205, 304) is `INVALID`.
   */
  int32_t (*status_set)(struct tricorn_request *request, uint32_t status);
  /*
   `[request]` The `nth` field of this name, from 0; `NOT_FOUND` if there is none. From
   `response_start` on.
   */
  int32_t (*header)(struct tricorn_request *request,
                    struct tricorn_str name,
                    size_t nth,
                    struct tricorn_str *out);
  /*
   `[request]` The field at this place, from 0; `NOT_FOUND` past the last. From
   `response_start` on.
   */
  int32_t (*header_at)(struct tricorn_request *request,
                       size_t index,
                       struct tricorn_str *name,
                       struct tricorn_str *value);
  /*
   `[request]` Sets a field, in place of all of this name, on `response_start`. `INVALID` if it
   is not a field, or one that frames the message.
   */
  int32_t (*header_set)(struct tricorn_request *request,
                        struct tricorn_str name,
                        struct tricorn_str value);
  /*
   `[request]` Adds a field. As `header_set`.
   */
  int32_t (*header_add)(struct tricorn_request *request,
                        struct tricorn_str name,
                        struct tricorn_str value);
  /*
   `[request]` Removes all fields of this name. As `header_set`.
   */
  int32_t (*header_remove)(struct tricorn_request *request, struct tricorn_str name);
} tricorn_response;

/*
 `tricorn.metrics/1`
 */
typedef struct tricorn_metrics {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   `[arbiter]` Defines a metric, during `module_init`; later `FROZEN`. `labels` is the inside of
   the braces in Prometheus text, such as `code="200"`, or empty. All of one name
   are of one kind, else `INVALID`. Defined again, also by the module of the next configuration,
   it is the same metric.
   */
  int32_t (*define)(void *ctx,
                    uint32_t kind,
                    struct tricorn_str name,
                    struct tricorn_str labels,
                    struct tricorn_str help,
                    uint32_t *id);
  /*
   `[any]` Adds to a counter, or to a gauge, which may fall.
   */
  int32_t (*add)(void *ctx, uint32_t id, int64_t amount);
  /*
   `[any]` Sets this process's part of a gauge.
   */
  int32_t (*set)(void *ctx, uint32_t id, int64_t value);
  /*
   `[any]` Adds a duration in nanoseconds to a histogram.
   */
  int32_t (*observe)(void *ctx, uint32_t id, uint64_t nanoseconds);
  /*
   `[any]` The sum over all processes, of a counter or a gauge; or 0.
   */
  int64_t (*read)(void *ctx, uint32_t id);
  /*
   `[any]` Gives all metrics of all plugins as Prometheus text.
   */
  int32_t (*render)(void *ctx, tricorn_sink sink, void *context);
} tricorn_metrics;

/*
 `tricorn.shm/1`
 */
typedef struct tricorn_shm {
  /*
   The size of this struct.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   `[arbiter]` Gives a zone of memory, during `module_init`; later `FROZEN`. Zones are told apart
   by plugin, name and size; one that was there stays where it is. It is aligned to a page.

   Processes may be killed at any instruction: use atomics in it, and no locks.
   */
  int32_t (*zone)(void *ctx, struct tricorn_str name, size_t size, void **memory, uint32_t *state);
} tricorn_shm;

/*
 The entry function. `[any]` It may be called more than once, does nothing but return a pointer
 to static data, and never fails.
 */
typedef const struct tricorn_entry *(*tricorn_entry_function)(const struct tricorn_host *host);

#define TRICORN_ENTRY_SYMBOL "tricorn_plugin_entry_v1"

#define TRICORN_VENDOR "tricorn"

#define TRICORN_INTERFACE_CORE "tricorn.core/1"

#define TRICORN_INTERFACE_HTTP "tricorn.http/1"

#define TRICORN_INTERFACE_RESPONSE "tricorn.response/1"

#define TRICORN_INTERFACE_METRICS "tricorn.metrics/1"

#define TRICORN_INTERFACE_SHM "tricorn.shm/1"

#define TRICORN_INTERFACE_WORKER "tricorn.worker/1"

#define TRICORN_INTERFACE_LOGGER "tricorn.logger/1"

#define TRICORN_INTERFACE_ACCESS_FORMAT "tricorn.access-format/1"

/* Why a worker is gone: `cause` of a tricorn_worker_event on child_exit. */
#define TRICORN_CAUSE_ASKED "asked"
#define TRICORN_CAUSE_TIMEOUT "timeout"
#define TRICORN_CAUSE_REQUEST_TIMEOUT "request_timeout"
#define TRICORN_CAUSE_BOOT "boot"
#define TRICORN_CAUSE_MAX_REQUESTS "max_requests"
#define TRICORN_CAUSE_MEMORY "memory"
#define TRICORN_CAUSE_AGE "age"
#define TRICORN_CAUSE_RETIRED "retired"
#define TRICORN_CAUSE_FAILED "failed"
#define TRICORN_CAUSE_CRASH "crash"
#define TRICORN_CAUSE_OOM "oom"

/* Whether a struct that the other side has filled in reaches past a field. */
#define TRICORN_HAS(pointer, type, field) \
    ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

/* A borrowed text out of a string literal. */
#define TRICORN_TEXT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }

#if defined(__cplusplus)
#define TRICORN_ASSERT(condition) static_assert(condition, #condition)
#else
#define TRICORN_ASSERT(condition) _Static_assert(condition, #condition)
#endif

#if UINTPTR_MAX == UINT64_MAX
TRICORN_ASSERT(sizeof(tricorn_str) == 16);
TRICORN_ASSERT(offsetof(tricorn_str, ptr) == 0);
TRICORN_ASSERT(offsetof(tricorn_str, len) == 8);
TRICORN_ASSERT(sizeof(tricorn_header) == 32);
TRICORN_ASSERT(offsetof(tricorn_header, name) == 0);
TRICORN_ASSERT(offsetof(tricorn_header, value) == 16);
TRICORN_ASSERT(sizeof(tricorn_event) == 24);
TRICORN_ASSERT(offsetof(tricorn_event, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_event, event) == 4);
TRICORN_ASSERT(offsetof(tricorn_event, flags) == 8);
TRICORN_ASSERT(offsetof(tricorn_event, pid) == 16);
TRICORN_ASSERT(offsetof(tricorn_event, reserved) == 20);
TRICORN_ASSERT(sizeof(tricorn_worker_event) == 64);
TRICORN_ASSERT(offsetof(tricorn_worker_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_worker_event, age) == 24);
TRICORN_ASSERT(offsetof(tricorn_worker_event, id) == 32);
TRICORN_ASSERT(offsetof(tricorn_worker_event, pid) == 36);
TRICORN_ASSERT(offsetof(tricorn_worker_event, exit_code) == 40);
TRICORN_ASSERT(offsetof(tricorn_worker_event, signal) == 44);
TRICORN_ASSERT(offsetof(tricorn_worker_event, cause) == 48);
TRICORN_ASSERT(sizeof(tricorn_count_event) == 40);
TRICORN_ASSERT(offsetof(tricorn_count_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_count_event, new_count) == 24);
TRICORN_ASSERT(offsetof(tricorn_count_event, old_count) == 32);
TRICORN_ASSERT(sizeof(tricorn_signal_event) == 32);
TRICORN_ASSERT(offsetof(tricorn_signal_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_signal_event, number) == 24);
TRICORN_ASSERT(offsetof(tricorn_signal_event, reserved) == 28);
TRICORN_ASSERT(sizeof(tricorn_request_event) == 32);
TRICORN_ASSERT(offsetof(tricorn_request_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_request_event, request) == 24);
TRICORN_ASSERT(sizeof(tricorn_done_event) == 56);
TRICORN_ASSERT(offsetof(tricorn_done_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_done_event, request) == 24);
TRICORN_ASSERT(offsetof(tricorn_done_event, duration) == 32);
TRICORN_ASSERT(offsetof(tricorn_done_event, sent) == 40);
TRICORN_ASSERT(offsetof(tricorn_done_event, status) == 48);
TRICORN_ASSERT(offsetof(tricorn_done_event, end) == 52);
TRICORN_ASSERT(sizeof(tricorn_error_event) == 48);
TRICORN_ASSERT(offsetof(tricorn_error_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_error_event, status) == 24);
TRICORN_ASSERT(offsetof(tricorn_error_event, reserved) == 28);
TRICORN_ASSERT(offsetof(tricorn_error_event, reason) == 32);
TRICORN_ASSERT(sizeof(tricorn_connection_event) == 80);
TRICORN_ASSERT(offsetof(tricorn_connection_event, header) == 0);
TRICORN_ASSERT(offsetof(tricorn_connection_event, number) == 24);
TRICORN_ASSERT(offsetof(tricorn_connection_event, peer) == 32);
TRICORN_ASSERT(offsetof(tricorn_connection_event, local) == 48);
TRICORN_ASSERT(offsetof(tricorn_connection_event, requests) == 64);
TRICORN_ASSERT(offsetof(tricorn_connection_event, peer_port) == 72);
TRICORN_ASSERT(offsetof(tricorn_connection_event, reserved) == 76);
TRICORN_ASSERT(sizeof(tricorn_host) == 56);
TRICORN_ASSERT(offsetof(tricorn_host, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_host, abi_major) == 4);
TRICORN_ASSERT(offsetof(tricorn_host, abi_minor) == 6);
TRICORN_ASSERT(offsetof(tricorn_host, ctx) == 8);
TRICORN_ASSERT(offsetof(tricorn_host, server_version) == 16);
TRICORN_ASSERT(offsetof(tricorn_host, log_level) == 32);
TRICORN_ASSERT(offsetof(tricorn_host, get_interface) == 40);
TRICORN_ASSERT(offsetof(tricorn_host, log) == 48);
TRICORN_ASSERT(sizeof(tricorn_worker_info) == 32);
TRICORN_ASSERT(offsetof(tricorn_worker_info, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_worker_info, id) == 4);
TRICORN_ASSERT(offsetof(tricorn_worker_info, age) == 8);
TRICORN_ASSERT(offsetof(tricorn_worker_info, pid) == 16);
TRICORN_ASSERT(offsetof(tricorn_worker_info, threads) == 20);
TRICORN_ASSERT(offsetof(tricorn_worker_info, workers) == 24);
TRICORN_ASSERT(offsetof(tricorn_worker_info, reserved) == 28);
TRICORN_ASSERT(sizeof(tricorn_worker) == 48);
TRICORN_ASSERT(offsetof(tricorn_worker, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_worker, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_worker, stop) == 8);
TRICORN_ASSERT(offsetof(tricorn_worker, is_stopping) == 16);
TRICORN_ASSERT(offsetof(tricorn_worker, spawn) == 24);
TRICORN_ASSERT(offsetof(tricorn_worker, wait_for_stop) == 32);
TRICORN_ASSERT(offsetof(tricorn_worker, panicked) == 40);
TRICORN_ASSERT(sizeof(tricorn_entry) == 104);
TRICORN_ASSERT(offsetof(tricorn_entry, magic) == 0);
TRICORN_ASSERT(offsetof(tricorn_entry, struct_size) == 8);
TRICORN_ASSERT(offsetof(tricorn_entry, abi_major) == 12);
TRICORN_ASSERT(offsetof(tricorn_entry, abi_minor) == 14);
TRICORN_ASSERT(offsetof(tricorn_entry, abi_minor_required) == 16);
TRICORN_ASSERT(offsetof(tricorn_entry, reserved) == 18);
TRICORN_ASSERT(offsetof(tricorn_entry, build_flags) == 24);
TRICORN_ASSERT(offsetof(tricorn_entry, vendor) == 32);
TRICORN_ASSERT(offsetof(tricorn_entry, toolchain) == 48);
TRICORN_ASSERT(offsetof(tricorn_entry, sdk_version) == 64);
TRICORN_ASSERT(offsetof(tricorn_entry, plugins) == 80);
TRICORN_ASSERT(offsetof(tricorn_entry, plugin_count) == 88);
TRICORN_ASSERT(offsetof(tricorn_entry, plugin_stride) == 96);
TRICORN_ASSERT(sizeof(tricorn_note) == 64);
TRICORN_ASSERT(offsetof(tricorn_note, magic) == 0);
TRICORN_ASSERT(offsetof(tricorn_note, abi_major) == 8);
TRICORN_ASSERT(offsetof(tricorn_note, abi_minor) == 10);
TRICORN_ASSERT(offsetof(tricorn_note, reserved) == 12);
TRICORN_ASSERT(offsetof(tricorn_note, toolchain) == 16);
TRICORN_ASSERT(sizeof(tricorn_plugin) == 128);
TRICORN_ASSERT(offsetof(tricorn_plugin, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_plugin, flags) == 4);
TRICORN_ASSERT(offsetof(tricorn_plugin, id) == 8);
TRICORN_ASSERT(offsetof(tricorn_plugin, version) == 24);
TRICORN_ASSERT(offsetof(tricorn_plugin, description) == 40);
TRICORN_ASSERT(offsetof(tricorn_plugin, handlers) == 56);
TRICORN_ASSERT(offsetof(tricorn_plugin, handler_count) == 64);
TRICORN_ASSERT(offsetof(tricorn_plugin, handler_stride) == 72);
TRICORN_ASSERT(offsetof(tricorn_plugin, module_init) == 80);
TRICORN_ASSERT(offsetof(tricorn_plugin, module_destroy) == 88);
TRICORN_ASSERT(offsetof(tricorn_plugin, worker_create) == 96);
TRICORN_ASSERT(offsetof(tricorn_plugin, worker_destroy) == 104);
TRICORN_ASSERT(offsetof(tricorn_plugin, request_drop) == 112);
TRICORN_ASSERT(offsetof(tricorn_plugin, get_interface) == 120);
TRICORN_ASSERT(sizeof(tricorn_handler) == 72);
TRICORN_ASSERT(offsetof(tricorn_handler, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_handler, event) == 4);
TRICORN_ASSERT(offsetof(tricorn_handler, priority) == 8);
TRICORN_ASSERT(offsetof(tricorn_handler, flags) == 12);
TRICORN_ASSERT(offsetof(tricorn_handler, name) == 16);
TRICORN_ASSERT(offsetof(tricorn_handler, call) == 32);
TRICORN_ASSERT(offsetof(tricorn_handler, before) == 40);
TRICORN_ASSERT(offsetof(tricorn_handler, before_count) == 48);
TRICORN_ASSERT(offsetof(tricorn_handler, after) == 56);
TRICORN_ASSERT(offsetof(tricorn_handler, after_count) == 64);
TRICORN_ASSERT(sizeof(tricorn_log_record) == 72);
TRICORN_ASSERT(offsetof(tricorn_log_record, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_log_record, level) == 4);
TRICORN_ASSERT(offsetof(tricorn_log_record, pid) == 8);
TRICORN_ASSERT(offsetof(tricorn_log_record, line) == 12);
TRICORN_ASSERT(offsetof(tricorn_log_record, unix_ns) == 16);
TRICORN_ASSERT(offsetof(tricorn_log_record, target) == 24);
TRICORN_ASSERT(offsetof(tricorn_log_record, message) == 40);
TRICORN_ASSERT(offsetof(tricorn_log_record, file) == 56);
TRICORN_ASSERT(sizeof(tricorn_access_record) == 216);
TRICORN_ASSERT(offsetof(tricorn_access_record, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_access_record, status) == 4);
TRICORN_ASSERT(offsetof(tricorn_access_record, pid) == 8);
TRICORN_ASSERT(offsetof(tricorn_access_record, end) == 12);
TRICORN_ASSERT(offsetof(tricorn_access_record, unix_ns) == 16);
TRICORN_ASSERT(offsetof(tricorn_access_record, duration) == 24);
TRICORN_ASSERT(offsetof(tricorn_access_record, sent) == 32);
TRICORN_ASSERT(offsetof(tricorn_access_record, client) == 40);
TRICORN_ASSERT(offsetof(tricorn_access_record, user) == 56);
TRICORN_ASSERT(offsetof(tricorn_access_record, request_line) == 72);
TRICORN_ASSERT(offsetof(tricorn_access_record, method) == 88);
TRICORN_ASSERT(offsetof(tricorn_access_record, target) == 104);
TRICORN_ASSERT(offsetof(tricorn_access_record, path) == 120);
TRICORN_ASSERT(offsetof(tricorn_access_record, query) == 136);
TRICORN_ASSERT(offsetof(tricorn_access_record, protocol) == 152);
TRICORN_ASSERT(offsetof(tricorn_access_record, referer) == 168);
TRICORN_ASSERT(offsetof(tricorn_access_record, user_agent) == 184);
TRICORN_ASSERT(offsetof(tricorn_access_record, context) == 200);
TRICORN_ASSERT(offsetof(tricorn_access_record, lookup) == 208);
TRICORN_ASSERT(sizeof(tricorn_logger) == 56);
TRICORN_ASSERT(offsetof(tricorn_logger, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_logger, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_logger, open) == 8);
TRICORN_ASSERT(offsetof(tricorn_logger, log) == 16);
TRICORN_ASSERT(offsetof(tricorn_logger, access) == 24);
TRICORN_ASSERT(offsetof(tricorn_logger, reopen) == 32);
TRICORN_ASSERT(offsetof(tricorn_logger, flush) == 40);
TRICORN_ASSERT(offsetof(tricorn_logger, close) == 48);
TRICORN_ASSERT(sizeof(tricorn_access_format) == 32);
TRICORN_ASSERT(offsetof(tricorn_access_format, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_access_format, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_access_format, compile) == 8);
TRICORN_ASSERT(offsetof(tricorn_access_format, write) == 16);
TRICORN_ASSERT(offsetof(tricorn_access_format, drop) == 24);
TRICORN_ASSERT(sizeof(tricorn_core) == 40);
TRICORN_ASSERT(offsetof(tricorn_core, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_core, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_core, buf_write) == 8);
TRICORN_ASSERT(offsetof(tricorn_core, setting) == 16);
TRICORN_ASSERT(offsetof(tricorn_core, role) == 24);
TRICORN_ASSERT(offsetof(tricorn_core, now) == 32);
TRICORN_ASSERT(sizeof(tricorn_http) == 152);
TRICORN_ASSERT(offsetof(tricorn_http, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_http, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_http, method) == 8);
TRICORN_ASSERT(offsetof(tricorn_http, target) == 16);
TRICORN_ASSERT(offsetof(tricorn_http, path) == 24);
TRICORN_ASSERT(offsetof(tricorn_http, query) == 32);
TRICORN_ASSERT(offsetof(tricorn_http, scheme) == 40);
TRICORN_ASSERT(offsetof(tricorn_http, version) == 48);
TRICORN_ASSERT(offsetof(tricorn_http, peer) == 56);
TRICORN_ASSERT(offsetof(tricorn_http, peer_port) == 64);
TRICORN_ASSERT(offsetof(tricorn_http, peer_is_trusted) == 72);
TRICORN_ASSERT(offsetof(tricorn_http, header) == 80);
TRICORN_ASSERT(offsetof(tricorn_http, header_at) == 88);
TRICORN_ASSERT(offsetof(tricorn_http, header_set) == 96);
TRICORN_ASSERT(offsetof(tricorn_http, header_add) == 104);
TRICORN_ASSERT(offsetof(tricorn_http, header_remove) == 112);
TRICORN_ASSERT(offsetof(tricorn_http, content_length) == 120);
TRICORN_ASSERT(offsetof(tricorn_http, environ_set) == 128);
TRICORN_ASSERT(offsetof(tricorn_http, kept) == 136);
TRICORN_ASSERT(offsetof(tricorn_http, keep) == 144);
TRICORN_ASSERT(sizeof(tricorn_answer) == 64);
TRICORN_ASSERT(offsetof(tricorn_answer, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_answer, status) == 4);
TRICORN_ASSERT(offsetof(tricorn_answer, headers) == 8);
TRICORN_ASSERT(offsetof(tricorn_answer, header_count) == 16);
TRICORN_ASSERT(offsetof(tricorn_answer, body) == 24);
TRICORN_ASSERT(offsetof(tricorn_answer, file) == 40);
TRICORN_ASSERT(offsetof(tricorn_answer, reserved) == 44);
TRICORN_ASSERT(offsetof(tricorn_answer, file_offset) == 48);
TRICORN_ASSERT(offsetof(tricorn_answer, file_length) == 56);
TRICORN_ASSERT(sizeof(tricorn_response) == 104);
TRICORN_ASSERT(offsetof(tricorn_response, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_response, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_response, respond) == 8);
TRICORN_ASSERT(offsetof(tricorn_response, suspend) == 16);
TRICORN_ASSERT(offsetof(tricorn_response, resume) == 24);
TRICORN_ASSERT(offsetof(tricorn_response, resume_respond) == 32);
TRICORN_ASSERT(offsetof(tricorn_response, resume_close) == 40);
TRICORN_ASSERT(offsetof(tricorn_response, status) == 48);
TRICORN_ASSERT(offsetof(tricorn_response, status_set) == 56);
TRICORN_ASSERT(offsetof(tricorn_response, header) == 64);
TRICORN_ASSERT(offsetof(tricorn_response, header_at) == 72);
TRICORN_ASSERT(offsetof(tricorn_response, header_set) == 80);
TRICORN_ASSERT(offsetof(tricorn_response, header_add) == 88);
TRICORN_ASSERT(offsetof(tricorn_response, header_remove) == 96);
TRICORN_ASSERT(sizeof(tricorn_metrics) == 56);
TRICORN_ASSERT(offsetof(tricorn_metrics, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_metrics, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_metrics, define) == 8);
TRICORN_ASSERT(offsetof(tricorn_metrics, add) == 16);
TRICORN_ASSERT(offsetof(tricorn_metrics, set) == 24);
TRICORN_ASSERT(offsetof(tricorn_metrics, observe) == 32);
TRICORN_ASSERT(offsetof(tricorn_metrics, read) == 40);
TRICORN_ASSERT(offsetof(tricorn_metrics, render) == 48);
TRICORN_ASSERT(sizeof(tricorn_shm) == 16);
TRICORN_ASSERT(offsetof(tricorn_shm, struct_size) == 0);
TRICORN_ASSERT(offsetof(tricorn_shm, reserved) == 4);
TRICORN_ASSERT(offsetof(tricorn_shm, zone) == 8);
#endif

#endif  /* TRICORN_H */

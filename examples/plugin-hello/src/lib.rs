//! The plugin to start from. It greets, counts, and shows each thing that a plugin can do once.
//!
//! Build it, and name the file in a config file or on the command line:
//!
//! ```sh
//! cargo build --release -p plugin-hello
//! tricorn --plugin target/release/libplugin_hello.so --plugin-option plugin_hello.greeting=Ahoy app:application
//! ```

// The prelude has what most plugins need: the traits, the arguments of handlers, and `log`'s macros.
use tricorn_hooks::prelude::*;

/// What the operator may write under `options`. serde reads it; an option that is missing or of the
/// wrong kind stops the server's start with a line that names it, and so does an unknown one, because
/// of `deny_unknown_fields`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The word that answers begin with.
    #[serde(default = "hello")]
    greeting: String,
}

fn hello() -> String {
    "Hello".to_owned()
}

/// What is made once, in the arbiter, before workers are forked: everything that all processes share.
/// Here that is a counter. It must start no thread and open no connection: a fork would lose the one
/// and share the other.
struct Shared {
    greeting: String,
    greeted: Counter,
}

/// The instance: made in each worker after its fork. Handlers of a worker's events get it as `&self`,
/// on several threads at once, so what changes in it is an atomic or behind a lock.
struct Hello {
    greeting: String,
    greeted: Counter,
    worker: Worker,
}

// A plugin whose module is more than its options implements `StagedPlugin`. The short form, for one
// that needs nothing before the fork, is `Plugin`, with a single function `new(options, worker)`.
impl StagedPlugin for Hello {
    type Options = Options;
    type Module = Shared;

    fn prepare(options: Options, arbiter: &Arbiter) -> Result<Shared> {
        // An error stops the start, or leaves the old configuration in force on a reload.
        if options.greeting.contains(['\r', '\n']) {
            return Err(Error::new("greeting: it must be one line"));
        }
        // Metrics are defined here and nowhere else: they live in memory that all processes share.
        let greeted = arbiter.metrics()?.counter(
            "hello_greeted_total",
            "",
            "Requests that were answered with a greeting.",
        )?;
        Ok(Shared {
            greeting: options.greeting,
            greeted,
        })
    }

    fn start(shared: &Shared, worker: &Worker) -> Result<Self> {
        // Threads, sockets and random numbers belong here. What `log` is told goes to the server's
        // error log, with this plugin's name.
        info!("says {} in worker {}", shared.greeting, worker.id);
        Ok(Self {
            greeting: shared.greeting.clone(),
            greeted: shared.greeted,
            worker: *worker,
        })
    }
}

/// What is kept with a request from its first event to its last.
struct Seen {
    path: String,
}

impl Hello {
    /// Before the application. A handler returns nothing, a `Flow`, or a `Result` of either.
    fn greet(&self, request: &mut Request<'_>) -> Result<Flow> {
        // Kept until the request has ended; dropped then, on every way it can end.
        let path = request.path().to_owned();
        request.keep(Seen { path })?;

        // The application sees this header, as HTTP_X_GREETING.
        request.set_header("X-Greeting", &self.greeting)?;

        if request.path() != "/hello" {
            // The next handler has its turn, and in the end the application.
            return Ok(Flow::Continue);
        }
        // An answer of our own. It is sent without the interpreter being touched.
        let whom = if request.peer().is_empty() {
            "you"
        } else {
            request.peer()
        };
        let text = format!(
            "{}, {whom}! This is worker {}.\n",
            self.greeting, self.worker.id
        );
        request.respond(Answer::text(200, text))
    }

    /// The head of an answer is about to be written: the application's, or one of a plugin.
    fn sign(&self, response: &mut Response<'_>) -> Result<()> {
        response.set_header("X-Greeted-By", "hello")
    }

    /// A request has ended, whatever way: exactly once for each that `pre_request` was fired for.
    fn count(&self, done: &Done<'_>) {
        if done.status == 200
            && done
                .kept::<Seen>()
                .is_some_and(|seen| seen.path == "/hello")
        {
            self.greeted.increment();
        }
        debug!("{} took {:?}", done.target(), done.duration);
    }

    /// A worker is gone. Events of the arbiter have no instance: the handler gets the module.
    fn mourn(shared: &Shared, worker: &Departure) {
        info!(
            "{} greetings so far; worker {} is gone ({})",
            shared.greeted.read(),
            worker.id,
            worker.cause
        );
    }
}

// Which method handles which event. These lines may stand in any file of the crate. A priority
// below 0 runs before what has none; `before` and `after` name other handlers or plugins.
on!(Hello, pre_request => greet, priority: -10);
on!(Hello, response_start => sign);
on!(Hello, post_request => count);
on!(Hello, child_exit => mourn);

// Once in the crate: the one function that the file exports. The id is for ever.
export_plugin!(Hello, id = "org.example.hello", description = "Says hello");

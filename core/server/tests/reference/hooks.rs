//! The page of hooks.

use std::fmt::Write;

use tricorn_server::hooks::{Arguments, Declaration, Event, Process};

const OPENING: &str = "\
# Hooks

Every event of the server's life, in the order of the table that declares them; `make reference` writes this
page, and a test compares it with the table. A function with an event's name in the config file is a handler; so
are the items of a list of that name, dotted names, functions under `@tricorn.hook(EVENT)`, `--hook
EVENT=MODULE:NAME`, and the functions of compiled plugins ([plugins.md](../plugins.md)).

What runs first is decided by `before` and `after`, then by priorities, then by the source: what is built in,
plugins, packages, decorated functions, the config file, the command line. Where an event undoes something,
priorities and sources count the other way around. `tricorn hooks list` prints what has come of it.

Hooks of dirty workers are among the [settings](settings.md#dirty-arbiter-hooks).
";

pub(super) fn page() -> String {
    let mut page = OPENING.to_owned();
    for &event in Event::ALL {
        page.push_str(&entry(event, event.declaration()));
    }
    page
}

fn entry(event: Event, declaration: &Declaration) -> String {
    let mut entry = format!("\n## `{}`\n\n", declaration.name);
    let mut row = |title: &str, text: &str| {
        let _ = writeln!(entry, "* {title}: {text}");
    };
    row("Fires", declaration.fires);
    row("In", place(declaration.process));
    row("Python handlers take", &taken(declaration.arguments));
    if declaration.down {
        row("Order", "priorities and sources the other way around");
    }
    row("A handler that fails", declaration.on_failure.describe());
    if !event.is_gunicorns() {
        entry.push_str("* tricorn's own\n");
    }
    entry
}

fn place(process: Process) -> &'static str {
    match process {
        Process::Arbiter => "the arbiter",
        Process::Worker => "a worker",
        Process::ForkedChild => "the child that is to become the next arbiter",
        Process::Both => "the arbiter, and each worker",
    }
}

fn taken(arguments: Arguments) -> String {
    let Some(names) = arguments.names() else {
        return "nothing: compiled handlers alone are called".to_owned();
    };
    let all = format!("`({})`", names.join(", "));
    let fewer: Vec<_> = (1..names.len())
        .rev()
        .filter(|&count| arguments.accepts(count))
        .map(|count| format!("`({})`", names[..count].join(", ")))
        .collect();
    match arguments {
        Arguments::ServerOrWorker => "`(server)` in the arbiter, `(worker)` in a worker".to_owned(),
        _ if fewer.is_empty() => all,
        _ => format!("{all}, or {}", fewer.join(", or ")),
    }
}

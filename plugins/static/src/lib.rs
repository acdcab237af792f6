//! Files under a prefix, sent by the kernel and without the application: types, ranges, conditional
//! requests, and files that were compressed in advance. Nothing outside the root is ever sent.

mod conditions;
mod find;
mod range;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use tricorn_hooks::prelude::*;

use conditions::{Judgement, Validators};
use find::{Found, Place, Root};
use range::Range;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The folder.
    root: PathBuf,
    /// What the paths of its files begin with.
    #[serde(default = "prefix")]
    prefix: String,
    /// The file that stands for a folder; none without it.
    #[serde(default)]
    index: Option<String>,
    /// For how many seconds a client may keep a file without asking.
    #[serde(default)]
    max_age: u64,
    /// Files that are not there are left to the application.
    #[serde(default)]
    fall_through: bool,
}

fn prefix() -> String {
    "/static/".to_owned()
}

struct Shared {
    options: Options,
    root: Root,
}

struct Static {
    root: Root,
    prefix: String,
    cache_control: String,
    fall_through: bool,
}

impl StagedPlugin for Static {
    type Options = Options;
    type Module = Shared;

    fn prepare(mut options: Options, _: &Arbiter) -> Result<Shared> {
        if !options.prefix.starts_with('/') {
            return Err(Error::new(format!(
                "prefix: {:?} does not begin with '/'",
                options.prefix
            )));
        }
        if !options.prefix.ends_with('/') {
            options.prefix.push('/');
        }
        let root = Root::open(&options.root, options.index.clone())?;
        Ok(Shared { options, root })
    }

    fn start(shared: &Shared, _: &Worker) -> Result<Self> {
        let options = &shared.options;
        let cache_control = match options.max_age {
            0 => "no-cache".to_owned(),
            seconds => format!("public, max-age={seconds}"),
        };
        Ok(Self {
            root: shared.root.clone(),
            prefix: options.prefix.clone(),
            cache_control,
            fall_through: options.fall_through,
        })
    }
}

impl Static {
    fn serve(&self, request: &mut Request<'_>) -> Result<Flow> {
        let Some(rest) = request.path().strip_prefix(&self.prefix) else {
            return Ok(Flow::Continue);
        };
        if !matches!(request.method(), "GET" | "HEAD") {
            if self.fall_through {
                return Ok(Flow::Continue);
            }
            return request.respond(Answer::text(405, "GET only\n").header("Allow", "GET, HEAD"));
        }
        let codings = request.header_text("accept-encoding").unwrap_or_default();
        match self.root.find(rest, codings) {
            Some(Place::File(found)) => {
                let answer = self.answer(request, *found);
                request.respond(answer)
            }
            Some(Place::Folder) => {
                let answer = Answer::new(301)
                    .header("Location", with_slash(request))
                    .header("Cache-Control", &self.cache_control);
                request.respond(answer)
            }
            None if self.fall_through => Ok(Flow::Continue),
            None => request.respond(Answer::text(404, "There is no such file\n")),
        }
    }

    fn answer(&self, request: &Request<'_>, found: Found) -> Answer {
        let validators = Validators::of(&found.about, found.coding);
        let answer = |status: u16| {
            let answer = Answer::new(status)
                .header("ETag", &validators.etag)
                .header("Cache-Control", &self.cache_control);
            let answer = match &validators.last_modified {
                Some(date) => answer.header("Last-Modified", date),
                None => answer,
            };
            if found.may_vary {
                answer.header("Vary", "Accept-Encoding")
            } else {
                answer
            }
        };
        match validators.judge(request) {
            Judgement::Holds => {}
            Judgement::HasIt => return answer(304),
            Judgement::Fails => return answer(412),
        }
        let length = found.about.len();
        let whole = |status: u16| {
            let answer = answer(status)
                .header("Content-Type", &found.kind)
                .header("Accept-Ranges", "bytes");
            match found.coding {
                Some(coding) => answer.header("Content-Encoding", coding),
                None => answer,
            }
        };
        let wanted = request
            .header_text("range")
            .filter(|_| request.method() == "GET" && validators.allow_range(request));
        match wanted.map_or(Range::Whole, |text| range::parse(text, length)) {
            Range::Whole => whole(200).file(found.file, 0, length),
            Range::Part { first, last } => whole(206)
                .header("Content-Range", format!("bytes {first}-{last}/{length}"))
                .file(found.file, first, last - first + 1),
            Range::Unsatisfiable => {
                answer(416).header("Content-Range", format!("bytes */{length}"))
            }
        }
    }
}

/// The same place with a slash behind its path: what its pages refer to is inside the folder.
fn with_slash(request: &Request<'_>) -> String {
    let query = request.target().split_once('?');
    let query = query.map_or_else(String::new, |(_, query)| format!("?{query}"));
    format!("{}/{query}", request.path())
}

/// When a file was last changed, in whole seconds since 1970.
fn changed(about: &Metadata) -> u64 {
    about
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .map_or_else(
            || u64::try_from(about.mtime()).unwrap_or(0),
            |since| since.as_secs(),
        )
}

on!(Static, request_head => serve);

export_plugin!(
    Static,
    id = "tricorn.static",
    description = "Serves files under a prefix"
);

#[cfg(test)]
mod tests;

//! Every request has an id: the one it came with, if whoever sent it is believed, else a new one.
//! The application finds it in the request's header and in `environ`, the client in the answer.

use std::sync::atomic::{AtomicU64, Ordering};

use tricorn_hooks::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The header.
    header: String,
    /// The entry of `environ`.
    environ: String,
    /// Whose ids are kept: of peers in `forwarded_allow_ips`, of everybody, or of nobody.
    keep: Keep,
    /// The answer has the header too.
    answer: bool,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Keep {
    Trusted,
    Always,
    Never,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            header: "X-Request-ID".to_owned(),
            environ: "REQUEST_ID".to_owned(),
            keep: Keep::Trusted,
            answer: true,
        }
    }
}

/// The longest id of somebody else's that is kept.
const LONGEST: usize = 128;

struct RequestId {
    header: String,
    environ: String,
    keep: Keep,
    answer: bool,
    /// Random, and so another one in each worker.
    first: u64,
    second: u64,
    made: AtomicU64,
}

/// What is kept with a request.
struct Id(String);

impl Plugin for RequestId {
    type Options = Options;

    fn check(options: &Options) -> Result<()> {
        let is_token = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if !is_token(&options.header) {
            return Err(Error::new(format!(
                "header: {:?} is not a name",
                options.header
            )));
        }
        if !is_token(&options.environ) {
            return Err(Error::new(format!(
                "environ: {:?} is not a name",
                options.environ
            )));
        }
        Ok(())
    }

    fn new(options: &Options, _: &Worker) -> Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let [first, second] = [&random[..8], &random[8..]].map(|bytes| {
            bytes
                .iter()
                .fold(0, |number: u64, &b| number << 8 | u64::from(b))
        });
        Ok(Self {
            header: options.header.clone(),
            environ: options.environ.clone(),
            keep: options.keep,
            answer: options.answer,
            first,
            second,
            made: AtomicU64::new(0),
        })
    }
}

impl RequestId {
    /// 128 bits: random ones of the worker, and a count spread over them.
    fn make(&self) -> String {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let spread = count.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.second;
        format!("{:016x}{spread:016x}", self.first)
    }

    fn given(&self, request: &Request<'_>) -> Option<String> {
        let believes = match self.keep {
            Keep::Trusted => request.peer_is_trusted(),
            Keep::Always => true,
            Keep::Never => false,
        };
        let id = request.header_text(&self.header).filter(|_| believes)?;
        let is_id =
            !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic());
        is_id.then(|| id.to_owned())
    }

    fn assign(&self, request: &mut Request<'_>) -> Result<()> {
        let id = self.given(request).unwrap_or_else(|| self.make());
        // Also in place of others that came with it.
        request.set_header(&self.header, &id)?;
        request.set_environ(&self.environ, &id)?;
        if self.answer {
            request.keep(Id(id))?;
        }
        Ok(())
    }

    fn show(&self, response: &mut Response<'_>) -> Result<()> {
        match response.kept::<Id>() {
            Some(Id(id)) => {
                let id = id.clone();
                response.set_header(&self.header, id)
            }
            None => Ok(()),
        }
    }
}

on!(RequestId, request_head => assign, priority: -100);
on!(RequestId, response_start => show);

export_plugin!(
    RequestId,
    id = "tricorn.request-id",
    description = "Gives every request an id"
);

#[cfg(test)]
mod tests {
    use tricorn_hooks::testing::{FakeHost, FakeRequest};

    use super::*;

    fn host(options: &str) -> FakeHost {
        FakeHost::load(tricorn_plugin_entry_v1, "tricorn.request-id", options).unwrap()
    }

    #[test]
    fn a_request_gets_an_id_that_the_answer_has_too() {
        let host = host("{}");
        let mut ids = Vec::new();
        for _ in 0..2 {
            let mut request = FakeRequest::new("GET", "/");
            host.request_head(&mut request).unwrap();
            host.response_start(&mut request).unwrap();
            let id = request.sent("X-Request-ID").unwrap();
            assert_eq!(request.response.header("x-request-id").as_ref(), Some(&id));
            assert_eq!(
                request.environ[0],
                ("REQUEST_ID".into(), id.clone().into_bytes())
            );
            assert_eq!(id.len(), 32);
            ids.push(id);
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn an_id_is_kept_of_those_who_are_believed() {
        let sent = |host: &FakeHost, request: FakeRequest| {
            let mut request = request.header("X-Request-ID", "abc-1");
            host.request_head(&mut request).unwrap();
            request.sent("X-Request-ID").unwrap()
        };
        let trusted = || FakeRequest::new("GET", "/").trusted();
        let stranger = || FakeRequest::new("GET", "/");
        assert_eq!(sent(&host("{}"), trusted()), "abc-1");
        assert_ne!(sent(&host("{}"), stranger()), "abc-1");
        assert_eq!(sent(&host(r#"{"keep": "always"}"#), stranger()), "abc-1");
        assert_ne!(sent(&host(r#"{"keep": "never"}"#), trusted()), "abc-1");
    }

    #[test]
    fn wrong_options_are_named() {
        let wrong = |options: &str| {
            let loaded = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.request-id", options);
            loaded.unwrap_err().to_string()
        };
        assert!(wrong(r#"{"haeder": "x"}"#).contains("haeder"));
        assert!(wrong(r#"{"header": "a b"}"#).contains("header: \"a b\""));
        assert!(wrong(r#"{"keep": "maybe"}"#).contains("maybe"));
    }
}

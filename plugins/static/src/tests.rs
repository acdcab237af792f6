//! The plugin over a folder of its own.

use std::fs;
use std::path::PathBuf;

use tricorn_hooks::testing::{FakeAnswer, FakeHost, FakeRequest};

use super::*;

struct Site {
    root: PathBuf,
    host: FakeHost,
}

impl Site {
    fn new(name: &str, more: &str) -> Self {
        let base =
            std::env::temp_dir().join(format!("tricorn-static-{name}-{}", std::process::id()));
        let root = base.join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(base.join("secret.txt"), "secret").unwrap();
        fs::write(root.join("a.txt"), "0123456789").unwrap();
        fs::write(root.join("b c.css"), "body{}").unwrap();
        fs::write(root.join(".env"), "hidden").unwrap();
        fs::write(root.join("big.js"), "plain").unwrap();
        fs::write(root.join("big.js.gz"), "zipped").unwrap();
        fs::write(root.join("sub/index.html"), "<p>").unwrap();
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        let file = fs::File::options().write(true).open(root.join("a.txt"));
        file.unwrap().set_modified(long_ago).unwrap();
        std::os::unix::fs::symlink(base.join("secret.txt"), root.join("link.txt")).unwrap();
        let options = format!(r#"{{"root": {root:?}{more}}}"#);
        let host = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.static", &options).unwrap();
        Self { root: base, host }
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Option<FakeAnswer> {
        let mut request = FakeRequest::new("GET", target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.host.request_head(&mut request).unwrap();
        request.answer.clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).unwrap();
    }
}

#[test]
fn a_file_is_sent_with_its_type_and_its_validators() {
    let site = Site::new("plain", r#", "max_age": 60"#);
    let answer = site.get("/static/a.txt?v=1", &[]).unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"0123456789"[..]));
    assert_eq!(
        answer.header("content-type").unwrap(),
        "text/plain; charset=utf-8"
    );
    assert_eq!(
        answer.header("cache-control").unwrap(),
        "public, max-age=60"
    );
    let etag = answer.header("etag").unwrap();
    let again = site
        .get("/static/a.txt", &[("If-None-Match", &etag)])
        .unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let date = answer.header("last-modified").unwrap();
    assert_eq!(
        site.get("/static/a.txt", &[("If-Modified-Since", &date)])
            .unwrap()
            .status,
        304
    );
    assert_eq!(site.get("/static/b%20c.css", &[]).unwrap().status, 200);
    assert_eq!(site.get("/other", &[]), None, "the application's");
}

#[test]
fn nothing_outside_the_root_and_nothing_hidden_is_sent() {
    let site = Site::new("outside", "");
    for target in [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/sub/..%2f..%2fsecret.txt",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/link.txt",
        "/static/.env",
        "/static/a.txt%00.css",
        "/static/sub",
        "/static/",
        "/static/none.txt",
    ] {
        assert_eq!(site.get(target, &[]).unwrap().status, 404, "{target}");
    }
}

#[test]
fn a_part_is_sent_if_the_file_is_still_the_same() {
    let site = Site::new("range", "");
    let part = site
        .get("/static/a.txt", &[("Range", "bytes=2-4")])
        .unwrap();
    assert_eq!((part.status, &*part.body), (206, &b"234"[..]));
    assert_eq!(part.header("content-range").unwrap(), "bytes 2-4/10");
    let stale = [("Range", "bytes=2-4"), ("If-Range", "\"old\"")];
    assert_eq!(site.get("/static/a.txt", &stale).unwrap().status, 200);
    let beyond = site
        .get("/static/a.txt", &[("Range", "bytes=20-")])
        .unwrap();
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range").unwrap(), "bytes */10");
}

#[test]
fn what_was_compressed_in_advance_goes_to_those_who_take_it() {
    let site = Site::new("coding", "");
    let zipped = site
        .get("/static/big.js", &[("Accept-Encoding", "br, gzip")])
        .unwrap();
    assert_eq!(
        (&*zipped.body, zipped.header("content-encoding")),
        (&b"zipped"[..], Some("gzip".into()))
    );
    assert!(
        zipped
            .header("content-type")
            .unwrap()
            .contains("javascript")
    );
    let plain = site
        .get("/static/big.js", &[("Accept-Encoding", "gzip;q=0")])
        .unwrap();
    assert_eq!(
        (&*plain.body, plain.header("content-encoding")),
        (&b"plain"[..], None)
    );
    for answer in [&zipped, &plain] {
        assert_eq!(answer.header("vary").unwrap(), "Accept-Encoding");
    }
    assert_ne!(zipped.header("etag"), plain.header("etag"));
}

#[test]
fn a_folder_has_an_index_and_what_is_missing_may_be_the_applications() {
    let site = Site::new("index", r#", "index": "index.html", "fall_through": true"#);
    assert_eq!(site.get("/static/sub/", &[]).unwrap().body, b"<p>");
    assert_eq!(site.get("/static/none", &[]), None);
}

#[test]
fn wrong_options_are_named() {
    for (options, name) in [
        (r#"{"root": "/nowhere/at/all"}"#, "root: /nowhere/at/all"),
        (r#"{"root": "/", "prefix": "x"}"#, "prefix"),
        (r#"{"root": "/", "index": "a/b"}"#, "index"),
        (r#"{}"#, "root"),
    ] {
        let loaded = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.static", options);
        let text = loaded.unwrap_err().to_string();
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let site = Site::new("pipe", "");
    let pipe = site.root.join("root/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(site.get("/static/pipe", &[]).unwrap().status, 404);
}

#[test]
fn a_file_that_has_changed_within_its_second_is_another_one() {
    let site = Site::new("changed", "");
    let tag = site
        .get("/static/a.txt", &[])
        .unwrap()
        .header("etag")
        .unwrap();
    let fresh = site.root.join("fresh");
    fs::write(&fresh, "9876543210").unwrap();
    fs::rename(&fresh, site.root.join("root/a.txt")).unwrap();
    let again = site
        .get("/static/a.txt", &[("If-None-Match", &tag)])
        .unwrap();
    assert_eq!((again.status, &*again.body), (200, &b"9876543210"[..]));
}

#[test]
fn a_folder_without_its_slash_leads_to_the_one_with_it() {
    let site = Site::new("slash", r#", "index": "index.html", "max_age": 9"#);
    for (target, place) in [
        ("/static/sub", "/static/sub/"),
        ("/static/%73ub", "/static/%73ub/"),
        ("/static/sub?a=/b", "/static/sub/?a=/b"),
        ("/static/sub?", "/static/sub/?"),
    ] {
        let answer = site.get(target, &[("If-Match", "\"old\"")]).unwrap();
        assert_eq!(
            (answer.status, answer.header("location")),
            (301, Some(place.into()))
        );
        assert_eq!(answer.header("cache-control").unwrap(), "public, max-age=9");
    }
    fs::create_dir(site.root.join("root/empty")).unwrap();
    for target in ["/static/empty", "/static/empty/", "/static/a.txt/"] {
        assert_eq!(site.get(target, &[]).unwrap().status, 404, "{target}");
    }
    let without = Site::new("no-index", "");
    assert_eq!(without.get("/static/sub", &[]).unwrap().status, 404);
}

#[test]
fn nobody_is_led_to_another_host() {
    let site = Site::new("hosts", r#", "index": "index.html", "prefix": "/""#);
    assert_eq!(
        site.get("/sub", &[]).unwrap().header("location").unwrap(),
        "/sub/"
    );
    for target in ["//sub", "/%2fsub", "//sub/..", "/\\sub", "/%5csub"] {
        assert_eq!(site.get(target, &[]).unwrap().status, 404, "{target}");
    }
}

#[test]
fn a_link_that_takes_a_files_place_at_that_moment_leads_nowhere() {
    use std::io::Read;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

    let site = Site::new("race", "");
    let (file, link) = (
        site.root.join("root/a.txt"),
        site.root.join("root/link.txt"),
    );
    let root = Root::open(&site.root.join("root"), None).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat2(
                    AT_FDCWD,
                    &file,
                    AT_FDCWD,
                    &link,
                    RenameFlags::RENAME_EXCHANGE,
                )
                .unwrap();
            }
        });
        let mut sent = 0;
        for _ in 0..20_000 {
            let Some(Place::File(mut found)) = root.find("a.txt", "") else {
                continue;
            };
            let mut text = String::new();
            found.file.read_to_string(&mut text).unwrap();
            if text != "0123456789" {
                is_over.store(true, Ordering::Relaxed);
                panic!("{text} is sent");
            }
            sent += 1;
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(sent > 0);
    });
}

#[test]
fn a_file_that_may_change_once_more_in_its_second_has_no_date() {
    let site = Site::new("young", "");
    let file = fs::File::options()
        .write(true)
        .open(site.root.join("root/a.txt"))
        .unwrap();
    let now = std::time::SystemTime::now();
    let date = httpdate::fmt_http_date(now + std::time::Duration::from_secs(60));
    file.set_modified(now + std::time::Duration::from_secs(60))
        .unwrap();
    let young = site.get("/static/a.txt", &[]).unwrap();
    assert_eq!(young.header("last-modified"), None);
    assert!(young.header("etag").is_some());
    let part = [("Range", "bytes=0-1"), ("If-Range", &*date)];
    assert_eq!(site.get("/static/a.txt", &part).unwrap().status, 200);
    // Later than any date that can be written.
    file.set_modified(now + std::time::Duration::from_secs(9_000 * 31_557_600))
        .unwrap();
    assert_eq!(site.get("/static/a.txt", &[]).unwrap().status, 200);
    file.set_modified(now - std::time::Duration::from_secs(60))
        .unwrap();
    let old = site.get("/static/a.txt", &[]).unwrap();
    let date = old.header("last-modified").unwrap();
    let part = [("Range", "bytes=0-1"), ("If-Range", &*date)];
    assert_eq!(site.get("/static/a.txt", &part).unwrap().status, 206);
}

/// RFC 9110 section 13.2.2.
#[test]
fn conditions_count_in_their_order() {
    let site = Site::new("conditions", "");
    let first = site.get("/static/a.txt", &[]).unwrap();
    let tag = first.header("etag").unwrap();
    let (tag, weak) = (&*tag, &*format!("W/{tag}"));
    let among = &*format!("\"old\", {tag}");
    let date = &*first.header("last-modified").unwrap();
    let (before, after) = (
        "Mon, 01 Jan 2001 00:00:00 GMT",
        "Fri, 01 Jan 2100 00:00:00 GMT",
    );
    const IM: &str = "If-Match";
    const IUS: &str = "If-Unmodified-Since";
    const INM: &str = "If-None-Match";
    const IMS: &str = "If-Modified-Since";
    const IR: &str = "If-Range";
    const R: (&str, &str) = ("Range", "bytes=0-1");
    let table: &[(&[(&str, &str)], u16)] = &[
        // 1. If-Match, by strong comparison.
        (&[(IM, tag)], 200),
        (&[(IM, "*")], 200),
        (&[(IM, among)], 200),
        (&[(IM, "\"old\""), (IM, tag)], 200),
        (&[(IM, "\"old\"")], 412),
        (&[(IM, weak)], 412),
        (&[(IM, "")], 412),
        (&[(IM, "\"old\""), (IUS, after)], 412),
        // It stands before the date.
        (&[(IM, tag), (IUS, before)], 200),
        // 2. If-Unmodified-Since.
        (&[(IUS, date)], 200),
        (&[(IUS, after)], 200),
        (&[(IUS, before)], 412),
        (&[(IUS, "yesterday")], 200),
        // 3. If-None-Match, by weak comparison.
        (&[(INM, tag)], 304),
        (&[(INM, weak)], 304),
        (&[(INM, "*")], 304),
        (&[(INM, among)], 304),
        (&[(INM, "\"old\""), (INM, tag)], 304),
        (&[(INM, "\"old\"")], 200),
        // It stands before the date.
        (&[(INM, "\"old\""), (IMS, after)], 200),
        (&[(INM, tag), (IMS, before)], 304),
        // 4. If-Modified-Since.
        (&[(IMS, date)], 304),
        (&[(IMS, after)], 304),
        (&[(IMS, before)], 200),
        (&[(IMS, "yesterday")], 200),
        // What is true goes on to the next.
        (&[(IM, tag), (INM, tag)], 304),
        (&[(IM, tag), (IMS, date)], 304),
        (&[(IUS, date), (INM, tag)], 304),
        (&[(IUS, date), (INM, "\"old\"")], 200),
        (&[(IM, "\"old\""), (INM, tag)], 412),
        (&[(IUS, before), (INM, tag)], 412),
        (&[(IUS, before), (IMS, date)], 412),
        // 5. If-Range.
        (&[R], 206),
        (&[R, (IR, tag)], 206),
        (&[R, (IR, date)], 206),
        (&[R, (IR, weak)], 200),
        (&[R, (IR, "\"old\"")], 200),
        (&[R, (IM, tag)], 206),
        (&[R, (IM, "\"old\"")], 412),
        (&[R, (IM, "\"old\""), (IR, tag)], 412),
        (&[R, (IUS, before)], 412),
        (&[R, (INM, tag)], 304),
        (&[R, (INM, "\"old\""), (IR, tag)], 206),
    ];
    for (headers, status) in table {
        let answer = site.get("/static/a.txt", headers).unwrap();
        assert_eq!(answer.status, *status, "{headers:?}");
        if *status == 412 {
            assert!(answer.header("content-range").is_none() && answer.body.is_empty());
        }
    }
    let missing = site.get("/static/none.txt", &[(IM, "*")]).unwrap();
    assert_eq!(missing.status, 404, "what is not there has no conditions");
}

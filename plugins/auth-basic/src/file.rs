//! The htpasswd file.

use std::collections::HashMap;
use std::fs;
use std::hint;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use bcrypt::HashParts;
use tricorn_hooks::{Error, Result};

/// The costs that bcrypt knows.
const COSTS: RangeInclusive<u32> = 4..=31;

/// A password's hash, as the file has it.
#[derive(Debug, Clone)]
struct Hash {
    text: String,
    /// Twice the work for each more.
    cost: u32,
}

/// The users of a file, with the hashes of their passwords.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    hashes: Arc<HashMap<String, Hash>>,
    /// The greatest cost among them: every refusal takes as long as one of that.
    dearest: u32,
}

impl Users {
    /// Reads a file: a line for each user, `name:hash`.
    ///
    /// # Errors
    /// A file that cannot be read, and the first line that is not what it must be, or by which nobody
    /// could ever log in.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::new(format!("file: {}: {error}", path.display())))?;
        let (mut hashes, mut lines) = (HashMap::new(), HashMap::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: String| {
                let (path, number) = (path.display(), number + 1);
                Error::new(format!("file: {path}, line {number}: {what}"))
            };
            let (name, hash) = entry(line).map_err(wrong)?;
            if let Some(first) = lines.insert(name.clone(), number + 1) {
                return Err(wrong(format!(
                    "nobody can log in by it: {name:?} has line {first} already; leave one of them"
                )));
            }
            hashes.insert(name, hash);
        }
        Ok(Self {
            dearest: hashes.values().map(|hash| hash.cost).max().unwrap_or(0),
            hashes: Arc::new(hashes),
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// Whether this is the user's password. A refusal takes as long for a name that is not there, and
    /// for any that is.
    pub(crate) fn verify(&self, name: &str, password: &[u8]) -> bool {
        let known = self.hashes.get(name);
        if known.is_some_and(|hash| bcrypt::verify(password, &hash.text).unwrap_or(false)) {
            return true;
        }
        for cost in self.owed(known.map(|hash| hash.cost)) {
            work(password, cost);
        }
        false
    }
}

impl Users {
    /// The costs of what a refusal does besides the check that failed, if there was one of that cost.
    /// Each cost is twice the work of the one below: a check and all from its cost on come to one of
    /// the dearest.
    fn owed(&self, checked: Option<u32>) -> Range<u32> {
        match checked {
            Some(cost) => cost..self.dearest,
            None => self.dearest..self.dearest + 1,
        }
    }
}

/// Does what a check of this cost takes, if there is such a cost.
fn work(password: &[u8], cost: u32) {
    // Only the time counts.
    let _ = hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16]));
}

/// A line's name and hash, or what is wrong with it.
fn entry(line: &str) -> std::result::Result<(String, Hash), String> {
    let (name, hash) = line.split_once(':').ok_or("it is not name:hash")?;
    if !is_name(name) {
        return Err(
            "nobody can log in by this name: it is empty, or has control characters".to_owned(),
        );
    }
    const WRITE: &str = "write it with htpasswd -B";
    if !["$2a$", "$2b$", "$2x$", "$2y$"]
        .iter()
        .any(|version| hash.starts_with(version))
    {
        return Err(format!("the hash is not one of bcrypt; {WRITE}"));
    }
    let parts: HashParts = hash
        .parse()
        .map_err(|why| format!("no password can match this hash ({why}); {WRITE}"))?;
    let cost = parts.get_cost();
    if !COSTS.contains(&cost) {
        return Err(format!(
            "no password can match this hash (its cost {cost} is not from 4 to 31); {WRITE}"
        ));
    }
    let text = hash.to_owned();
    Ok((name.to_owned(), Hash { text, cost }))
}

/// Whether a client can send this name.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let path = std::env::temp_dir().join(format!("tricorn-htpasswd-{}", std::process::id()));
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            Users::read(&path).unwrap_err().to_string()
        };
        assert!(refused("# fine\n\nada\n").contains("line 3: it is not name:hash"));
        assert!(refused("ada:{SHA}abc\n").contains("line 1: the hash is not one of bcrypt"));
        let good = bcrypt::hash("sesame", 4).unwrap();
        for (hash, why) in [
            (good.replacen("$04$", "$03$", 1), "cost"),
            (good.replacen("$04$", "$32$", 1), "cost"),
            (good.replacen("$04$", "$xx$", 1), "cost"),
            (good.replacen("$2b$", "$2c$", 1), "not one of bcrypt"),
            (format!("{}!", &good[..59]), "not valid base64"),
            (good[..59].to_owned(), "60"),
            (format!("{good}:x"), "60"),
            (
                "$apr1$abcdefgh$0123456789012345678901".to_owned(),
                "not one of bcrypt",
            ),
            ("sesame".to_owned(), "not one of bcrypt"),
        ] {
            let text = refused(&format!("ada:{good}\nbob:{hash}\n"));
            assert!(
                text.contains("line 2: ") && text.contains(why),
                "{hash}: {text}"
            );
        }
        let text = refused(&format!("ada:{good}\n\nbob:{good}\nada:{good}\n"));
        assert!(
            text.contains("line 4: ") && text.contains("\"ada\" has line 1 already"),
            "{text}"
        );
        for name in ["", "a\tb"] {
            let text = refused(&format!("{name}:{good}\n"));
            assert!(
                text.contains("line 1: nobody can log in by this name"),
                "{text}"
            );
        }
        fs::remove_file(&path).unwrap();
        assert!(
            Users::read(&path)
                .unwrap_err()
                .to_string()
                .starts_with("file: ")
        );
    }

    #[test]
    fn who_there_is_and_at_what_cost_takes_the_same_work_to_refuse() {
        let path = std::env::temp_dir().join(format!("tricorn-costs-{}", std::process::id()));
        let line = |name, cost| format!("{name}:{}\n", bcrypt::hash("sesame", cost).unwrap());
        fs::write(
            &path,
            line("cheap", 4) + &line("dear", 8) + &line("between", 6),
        )
        .unwrap();
        let users = Users::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let works = |checked: Option<u32>| {
            let owed: u64 = users.owed(checked).map(|cost| 1 << cost).sum();
            checked.map_or(0, |cost| 1u64 << cost) + owed
        };
        for checked in [Some(4), Some(6), Some(8), None] {
            assert_eq!(works(checked), 1 << 8, "{checked:?}");
        }
        for name in ["cheap", "between", "dear", "nobody"] {
            assert!(!users.verify(name, b"open"), "{name}");
        }
        for name in ["cheap", "between", "dear"] {
            assert!(users.verify(name, b"sesame"), "{name}");
        }
    }
}

//! The declaration of a setting: everything about it that is not its value.

use std::path::Path;

use super::start::start_directory;
use super::value::Value;

/// One setting. Flags, file names, validation, help and reference are derived from it.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the config file and on `cfg`.
    pub name: &'static str,
    /// Its flags on the command line, short before long; empty if it has none.
    pub flags: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
    /// Its value where nobody gives one.
    pub default: Default,
    /// Under which heading it stands.
    pub section: Section,
    /// What the flag's value is called in the help; empty for the kind's own word.
    pub metavar: &'static str,
    /// One line for `--help`, in the imperative or as a noun, without a full stop.
    pub help: &'static str,
    /// How far the setting reaches in this version.
    pub reach: Reach,
    /// gunicorn has no setting of this name: in its config files it may be a variable.
    pub ours: bool,
    /// Its items are pairs, `NAME=VALUE`, whose values may be secrets: they are not printed.
    pub secret: bool,
}

/// What values a setting takes. The rules are gunicorn's, so that its files load as they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, or nothing.
    Text,
    /// True or false; also the words, from a flag or a variable.
    Bool,
    /// A flag that turns something off that is on otherwise.
    Off,
    /// True or false, or one of these forms of what is printed; true stands for the first.
    Report(&'static [&'static str]),
    /// A whole number, 0 or more.
    Count,
    /// A number of seconds, 0 or more; a fraction is taken.
    Seconds,
    /// A number of bytes, 0 or more; also text with a unit: `300M`, `1.5G`.
    Bytes,
    /// A file mode: a number, or text that is octal when it begins with 0.
    Mode,
    /// A list of texts; one text is a list of one.
    List,
    /// A list of files that exist, or of patterns.
    Files,
    /// Texts separated by commas, or a list of texts.
    CommaList,
    /// Addresses and networks separated by commas, or `*`.
    Networks,
    /// Text to text.
    Dict,
    /// Anything by name: a dict with text as its keys.
    Mapping,
    /// A whole number from the first to the second.
    Range(i64, i64),
    /// One of these words; nothing stands for the first.
    Choice(&'static [&'static str]),
    /// One of these words; true and false stand for words too.
    Switch(&'static Switch),
    /// Some of these words, separated by commas or in a list.
    Words(&'static [&'static str]),
    /// Some of these words, each once, the preferred one first; nothing stands for the first of all.
    Ranking(&'static [&'static str]),
    /// A list of compiled plugins: a path, or a dict that has one, each.
    Plugins,
    /// A class: by alias, by dotted name, or the object itself.
    Class,
    /// A callable that takes arguments of these names: the object itself, or its dotted name.
    Callable(&'static [&'static str]),
    /// Whatever is given, unchecked.
    Anything,
    /// A directory that exists.
    Directory,
    /// A user, by name or number.
    User,
    /// A group, by name or number.
    Group,
}

/// The words of a setting that was once true or false, or may be.
#[derive(Debug, PartialEq, Eq)]
pub struct Switch {
    /// The words; false stands for the first.
    pub words: &'static [&'static str],
    /// What true stands for.
    pub on: &'static str,
    /// The flag may stand without a word, which says true.
    pub bare: bool,
}

/// A default, which may depend on the environment.
#[derive(Debug, Clone, Copy)]
pub enum Default {
    /// `None`
    None,
    /// A truth value.
    Bool(bool),
    /// A number.
    Int(i64),
    /// Text.
    Str(&'static str),
    /// A list of texts.
    List(&'static [&'static str]),
    /// Pairs of texts.
    Dict(&'static [(&'static str, &'static str)]),
    /// The directory the server was started in.
    Start,
    /// The value of an environment variable, or a default without it.
    Env(&'static str, fn(Option<&str>) -> Value),
}

/// How far a setting reaches in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It does what it says.
    Full,
    /// It is accepted and does nothing; the text says why that is all right.
    Inert(&'static str),
    /// It is not honoured yet, and whoever sets it is told; the text says what happens instead.
    Later(&'static str),
    /// A value other than the default asks for what is not there, and serving without it would be
    /// wrong: the start is refused. The text says what is missing.
    Refused(&'static str),
}

/// The headings of the reference and of `--help`: gunicorn's, and two of tricorn's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Where the configuration comes from.
    ConfigFile,
    /// Listening.
    ServerSocket,
    /// How many workers, of which class, and how long they may take.
    WorkerProcesses,
    /// Bounds on what clients send.
    Security,
    /// What the server buffers, and its own time limits.
    Buffers,
    /// Aids for development.
    Debugging,
    /// The life of the process.
    ServerMechanics,
    /// Compiled plugins.
    Plugins,
    /// Error and access logs.
    Logging,
    /// Titles of processes.
    ProcessNaming,
    /// Encryption.
    Tls,
    /// The second version of HTTP.
    Http2,
    /// Processes beside the workers, for what must not block them.
    Dirty,
    /// What is called in their lives.
    DirtyHooks,
    /// A socket that commands come by.
    Control,
}

impl Section {
    /// The heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ConfigFile => "Config File",
            Self::ServerSocket => "Server Socket",
            Self::WorkerProcesses => "Worker Processes",
            Self::Security => "Security",
            Self::Buffers => "Buffers and Time Limits",
            Self::Debugging => "Debugging",
            Self::ServerMechanics => "Server Mechanics",
            Self::Plugins => "Plugins",
            Self::Logging => "Logging",
            Self::ProcessNaming => "Process Naming",
            Self::Tls => "SSL",
            Self::Http2 => "HTTP/2",
            Self::Dirty => "Dirty Arbiters",
            Self::DirtyHooks => "Dirty Arbiter Hooks",
            Self::Control => "Control",
        }
    }
}

impl Setting {
    /// A declaration with the parts that most settings leave as they are.
    pub(super) const fn new(
        section: Section,
        name: &'static str,
        kind: Kind,
        default: Default,
    ) -> Self {
        Self {
            name,
            flags: &[],
            kind,
            default,
            section,
            metavar: "",
            help: "",
            reach: Reach::Full,
            ours: false,
            secret: false,
        }
    }

    pub(super) const fn flags(mut self, flags: &'static [&'static str]) -> Self {
        self.flags = flags;
        self
    }

    pub(super) const fn ours(mut self) -> Self {
        self.ours = true;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) const fn metavar(mut self, metavar: &'static str) -> Self {
        self.metavar = metavar;
        self
    }

    pub(super) const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    pub(super) const fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// The default in this environment.
    #[must_use]
    pub fn default_value(&self, env: impl Fn(&str) -> Option<String>) -> Value {
        match self.default {
            Default::None => Value::None,
            Default::Bool(truth) => Value::Bool(truth),
            Default::Int(number) => Value::Int(number),
            Default::Str(text) => text.into(),
            Default::List(items) => Value::List(items.iter().map(|&item| item.into()).collect()),
            Default::Dict(items) => Value::Dict(
                items
                    .iter()
                    .map(|&(key, value)| (key.into(), value.into()))
                    .collect(),
            ),
            Default::Start => start_directory().display().to_string().as_str().into(),
            Default::Env(variable, default) => default(env(variable).as_deref()),
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, value: Value) -> Result<Value, String> {
        super::check::check(self, value).map_err(|refusal| refusal.what)
    }

    /// Whether a value asks for anything: one that is the default's, or is empty because a variable
    /// is not set, does not.
    #[must_use]
    pub fn asks(&self, value: &Value) -> bool {
        let is_unset = match value {
            Value::None => true,
            Value::Str(text) => text.is_empty(),
            _ => false,
        };
        let default = self.default_value(|_| None);
        !is_unset && value != &default && Ok(value) != self.check(default).as_ref()
    }

    /// The default as one would write it on a command line, if there is any; the user's own
    /// directory is `~`.
    #[must_use]
    pub fn default_shown(&self) -> Option<String> {
        if let Default::Start = self.default {
            return Some(".".to_owned());
        }
        match (self.default_value(|_| None), self.kind) {
            (Value::None, _) | (_, Kind::Bool | Kind::Off | Kind::Report(_)) => None,
            (list @ Value::List(_), _) => {
                let items: Vec<_> = super::check::strings(&list).collect();
                (!items.is_empty()).then(|| items.join(","))
            }
            (Value::Dict(items), _) if items.is_empty() => None,
            (Value::Str(text), _) => {
                let home = std::env::home_dir().unwrap_or_default();
                let below = Path::new(&text).strip_prefix(&home).ok();
                let below = below.filter(|_| home.is_absolute());
                let shown = below.map(|path| format!("~/{}", path.display()));
                (!text.is_empty()).then(|| shown.unwrap_or(text))
            }
            (Value::Int(mode), Kind::Mode) if mode > 0 => Some(format!("0{mode:o}")),
            (other, _) => Some(other.to_string()),
        }
    }

    /// The variable the default depends on, if there is one.
    #[must_use]
    pub fn variable(&self) -> Option<&'static str> {
        if let Default::Env(variable, _) = self.default {
            Some(variable)
        } else {
            None
        }
    }
}

//! Settings: declared once, read from several sources, checked, and frozen into a [`Config`].
//!
//! ```text
//!   declared ──► cli, help, defaults ─┐
//!   file, environment, program ───────┴─► Layer ──► Settings (checked) ──► Config (typed)
//! ```
//!
//! Raw values stay what they were typed as until [`Settings::resolve`]; nothing here binds a
//! socket, opens a file or runs code of the operator's.

mod address;
mod arguments;
mod check;
mod check_machine;
mod check_words;
pub mod cli;
mod command;
pub mod declared;
mod layers;
mod pages;
mod plugin_cli;
mod plugin_options;
mod plugins;
mod print;
mod resolve;
mod resolve_logs;
mod setting;
mod size;
mod start;
mod suggest;
mod telemetry;
mod typed;
mod value;

pub use address::{Address, InvalidAddress};
pub(crate) use declared::ACCESS_LOG_FORMAT;
pub use layers::{Entry, Layer, Settings, Source};
pub use plugin_options::AddressedOption;
pub(crate) use plugins::json;
pub use plugins::{OnCrash, OnError, PerEvent, Place, PluginSpec};
pub use print::shown;
pub use setting::{Default, Kind, Reach, Section, Setting, Switch};
pub use start::{from_start, start_directory};
pub use suggest::{nearest, nearly_a_setting};
pub use telemetry::{Statsd, StatsdAddress, Syslog, SyslogAddress};
pub use typed::{AccessSink, Bounds, Config, Logging, Maker, Plugins, TimeLimits, WorkerClass};
pub use value::{Object, Value};

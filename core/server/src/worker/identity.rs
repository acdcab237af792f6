//! The user and the groups that a worker runs as.

use std::ffi::CString;
use std::fs;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, initgroups, setgid, setgroups, setuid};

use crate::config::Config;
use crate::error::{Exit, Failure};

/// Becomes the user and the group that workers run as. A number that the process has already, and
/// 0, change nothing.
pub(super) fn drop_privileges(config: &Config) -> Result<(), Failure> {
    let user = other_user(config);
    let group = config
        .group
        .filter(|&id| id != 0 && Gid::effective().as_raw() != id);
    if let Some(user) = user.filter(|_| Uid::effective().is_root()) {
        let gid = group_beside(config, user);
        take_groups(user, gid, config.initgroups)
            .map_err(|error| refused(config, "group", gid.as_raw(), error))?;
    } else if let Some(group) = group {
        take_group(Gid::from_raw(group)).map_err(|error| refused(config, "group", group, error))?;
    }
    if let Some(user) = user {
        setuid(Uid::from_raw(user)).map_err(|error| refused(config, "user", user, error))?;
    }
    Ok(())
}

/// Returns a remark on the workers' group, for a server of root's that is given their user alone.
#[must_use]
pub fn remark_on_group(config: &Config) -> Option<String> {
    let user =
        other_user(config).filter(|_| Uid::effective().is_root() && config.group.is_none())?;
    let gid = group_beside(config, user);
    let whose = match entry(user) {
        Some(entry) => format!("that of user {}", entry.name),
        None => format!("that of nobody, as there is no user {user}"),
    };
    Some(format!(
        "no group is given beside the user: workers run in group {gid}, {whose}, and not in root's; give a group to choose another"
    ))
}

/// The user that workers become, if it is another than this process's.
fn other_user(config: &Config) -> Option<u32> {
    config
        .user
        .filter(|&id| id != 0 && Uid::effective().as_raw() != id)
}

/// Returns the group that is given, else the user's own.
fn group_beside(config: &Config, user: u32) -> Gid {
    let given = config.group.map(Gid::from_raw);
    let own = || entry(user).map(|entry| entry.gid);
    given.or_else(own).unwrap_or_else(nobodys)
}

/// The group of files whose group is not known: none that anything is given to.
fn nobodys() -> Gid {
    const USUAL: u32 = 65534;
    let text = fs::read_to_string("/proc/sys/kernel/overflowgid").unwrap_or_default();
    Gid::from_raw(text.trim().parse().unwrap_or(USUAL))
}

fn entry(user: u32) -> Option<User> {
    User::from_uid(Uid::from_raw(user)).ok().flatten()
}

/// Becomes a member of the group, and of all others of the user's if that is wanted, and of no other.
fn take_groups(user: u32, group: Gid, all: bool) -> nix::Result<()> {
    match entry(user).filter(|_| all) {
        Some(entry) => {
            let name = CString::new(entry.name).map_err(|_| Errno::EINVAL)?;
            initgroups(&name, group)?;
        }
        None => setgroups(&[group])?,
    }
    setgid(group)
}

fn take_group(group: Gid) -> nix::Result<()> {
    if Uid::effective().is_root() {
        setgroups(&[group])?;
    }
    setgid(group)
}

fn refused(config: &Config, what: &str, id: u32, error: Errno) -> Failure {
    Failure::operator(format!(
        "a worker cannot become {what} {id}: {}",
        error.desc()
    ))
    .from_origin(config.settings.source(what).to_string())
    .mend("start the server as root, or leave the setting out")
    .exits_with(Exit::WorkerBoot)
}

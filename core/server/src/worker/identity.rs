//! The user and the groups that a worker runs as.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, initgroups, setgid, setgroups, setuid};

use crate::config::Config;
use crate::error::{Exit, Failure};

/// Becomes the user and the group that workers run as. A number that the process has already, and
/// 0, change nothing.
pub(super) fn drop_privileges(config: &Config) -> Result<(), Failure> {
    let user = config
        .user
        .filter(|&id| id != 0 && Uid::effective().as_raw() != id);
    let group = config
        .group
        .filter(|&id| id != 0 && Gid::effective().as_raw() != id);
    if let Some(group) = group {
        take_group(config, group).map_err(|error| refused(config, "group", group, error))?;
    } else if let Some(user) = user.filter(|_| config.initgroups) {
        let own = Gid::effective();
        take_all_groups(user, own).map_err(|error| refused(config, "user", user, error))?;
    }
    if let Some(user) = user {
        setuid(Uid::from_raw(user)).map_err(|error| refused(config, "user", user, error))?;
    }
    Ok(())
}

fn take_group(config: &Config, group: u32) -> nix::Result<()> {
    let gid = Gid::from_raw(group);
    if Uid::effective().is_root() {
        match config.user.filter(|_| config.initgroups) {
            Some(user) => take_all_groups(user, gid)?,
            None => setgroups(&[gid])?,
        }
    }
    setgid(gid)
}

/// Joins all groups of a user, and `group` beside them.
fn take_all_groups(user: u32, group: Gid) -> nix::Result<()> {
    let entry = User::from_uid(Uid::from_raw(user))?.ok_or(Errno::ENOENT)?;
    let name = CString::new(entry.name).map_err(|_| Errno::EINVAL)?;
    initgroups(&name, group)
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

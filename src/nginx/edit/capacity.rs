//! The edits for what a whole server has room for, and for how a group of backends shares its clients out.

use super::Editor;
use super::place::Block;
use super::route::Task;
use crate::gateway::Target;

/// What stands in a group of backends that decides who gets a client, beside what keeps clients with one.
const METHODS: [&[u8]; 4] = [b"least_conn", b"least_time", b"random", b"fair"];

impl Editor<'_> {
    /// As many connections for a worker.
    pub(super) fn connections(&self, number: i64, task: &mut Task) -> Result<(), String> {
        let limit = self.gateway().capacity.connections.ok_or("the server's default is in force")?;
        task.edits.push(self.reword(limit.span, 0, &number.to_string())?);
        task.titles.push(format!("`worker_connections {number};`"));
        Ok(())
    }

    /// As many open files for a worker.
    pub(super) fn open_files(&self, number: i64, task: &mut Task) -> Result<(), String> {
        task.titles.push(format!("`worker_rlimit_nofile {number};`"));
        if let Some(limit) = self.gateway().capacity.open_files {
            task.edits.push(self.reword(limit.span, 0, &number.to_string())?);
            return Ok(());
        }
        let connections = self.gateway().capacity.connections.and_then(|limit| self.line_at(limit.span));
        let elsewhere = "it belongs outside of `events`, which is not among these files";
        let inside = connections.ok_or(elsewhere)?;
        let events = inside.tree.directive(inside.id).parent.ok_or(elsewhere)?;
        let block =
            Block { source: inside.source, tree: inside.tree, bytes: inside.bytes, of: inside.tree.directive(events).parent };
        if block.is_templated() {
            return Err("a template decides what stands in this block".to_owned());
        }
        let lines = [format!("worker_rlimit_nofile {number};")];
        let beside = block.lines().filter(|line| line.id < events && line.name().starts_with(b"worker_")).last();
        let events = block.lines().find(|line| line.id == events).ok_or(elsewhere)?;
        task.edits.push(match beside {
            Some(line) => block.insert(Some(line), &lines),
            None => block.insert_above(events, &lines),
        });
        Ok(())
    }

    /// Two files for each connection: one towards the client and one towards the backend are connections of their own, and files are
    /// opened beside them.
    pub(super) fn enough_files(&self, task: &mut Task) -> Result<(), String> {
        let connections = self.gateway().capacity.connections.ok_or("the server's default is in force")?;
        let number = i64::try_from(connections.value.saturating_mul(2)).map_err(|_| "no machine has that many files")?;
        self.open_files(number, task)
    }

    /// Keeps each client with one backend of a group.
    pub(super) fn keep_clients(&self, target: &Target, task: &mut Task) -> Result<(), String> {
        let Target::Proxy(proxy) = target else { return Err("nothing is proxied here".to_owned()) };
        let group = self.gateway().upstream(proxy.upstream.ok_or("there is no group of backends here")?);
        let block = self.block(group.span).filter(|block| block.of.is_some()).ok_or("the group cannot be found")?;
        if block.is_templated() {
            return Err("a template decides what stands in this block".to_owned());
        }
        // nginx refuses `backup` beside `ip_hash`, and of two methods the last counts.
        if group.members.iter().any(|member| member.backup) {
            return Err("`ip_hash` knows no backup servers: how clients are kept is for you to say".to_owned());
        }
        if block.lines().any(|line| METHODS.contains(&line.name())) {
            return Err("the group has another way to choose a backend: which is to stay is for you to say".to_owned());
        }
        task.edits.push(block.insert(None, &["ip_hash;".to_owned()]));
        task.titles.push("`ip_hash;`".to_owned());
        Ok(())
    }
}

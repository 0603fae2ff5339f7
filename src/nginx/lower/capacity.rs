//! What bounds the connections of the whole server: `worker_connections` and its kin (`ngx_core_module`, `ngx_event_core_module`).

use super::Lowerer;
use super::line::Line;
use crate::gateway::Limit;
use crate::nginx::values::{self, Resolution};

impl Lowerer<'_> {
    /// Takes note of a bound.
    pub(super) fn capacity(&mut self, line: Line<'_>) {
        let Some(word) = line.word(0).filter(|word| !word.is_holed()) else { return };
        let (value, span) = (word.value(), line.span());
        let number = || values::number(&value).map(|value| Limit { value, span });
        let capacity = &mut self.gateway.capacity;
        match line.name() {
            b"worker_connections" => capacity.connections = number(),
            b"worker_rlimit_nofile" => capacity.open_files = number(),
            b"worker_shutdown_timeout" => {
                let duration = values::duration(&value, Resolution::Milliseconds);
                capacity.shutdown = duration.map(|value| Limit { value, span });
            }
            _ => {}
        }
    }
}

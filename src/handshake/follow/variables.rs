//! Variables that are known only while a request is followed, most of them nginx's.

use super::files::Place;
use crate::gateway::{Known, Part, SymbolicId, Unknown, Variable};
use crate::handshake::evaluate::{DEPTH, Environment, argument};

/// A path at which nothing lies.
const NOWHERE: &str = "/\u{1}";

impl Environment<'_> {
    /// The value as the name of a file, which may be relative to the directory of the installation.
    ///
    /// # Errors
    /// Where a part of it cannot be known.
    pub(in crate::handshake) fn file_path(&self, value: SymbolicId) -> Known<String> {
        let mut path = String::new();
        for &part in self.gateway.symbolics.get(value) {
            let place = match part {
                Part::Variable(Variable::Runtime(name)) => self.place(&self.gateway.texts.show(name))?,
                // What lies in a directory that is compiled in is taken as absent.
                Part::Variable(Variable::DocumentRoot) if self.evaluate_part(part) == Err(Unknown::Environment) => {
                    Some(NOWHERE.to_owned())
                }
                _ => None,
            };
            path.push_str(&place.map_or_else(|| self.evaluate_part(part), Ok)?);
        }
        Ok(path)
    }

    /// Whether the value is the name of a file or directory below that of the installation (`ngx_conf_full_name`), which is not known.
    pub(in crate::handshake) fn is_of_installation(&self, value: SymbolicId) -> bool {
        let is_place = |part: &Part| match *part {
            Part::Variable(Variable::Runtime(name)) => {
                self.place(&self.gateway.texts.show(name)).is_ok_and(|place| place.is_some())
            }
            _ => false,
        };
        self.gateway.symbolics.get(value).iter().any(is_place)
    }

    /// The value of a variable whose family is the server's own, where no step has assigned it (`NGX_HTTP_VAR_WEAK`).
    pub(in crate::handshake) fn of_family(&self, name: &str) -> String {
        let header = |name: &str| self.request.header(name.replace('_', "-").as_bytes()).unwrap_or_default().to_owned();
        match name.split_once('_') {
            Some(("http", name)) => header(name),
            Some(("arg", name)) => argument(self.request.query.as_deref().unwrap_or_default(), name).to_owned(),
            Some(("cookie", name)) => cookie_of(&header("cookie"), name),
            _ => String::new(),
        }
    }

    /// The value of a variable that names a file or directory of the location; `None` for other variables.
    fn place(&self, name: &str) -> Known<Option<String>> {
        match name {
            "document_root" => Ok(Some(Place::of(self, DEPTH)?.root)),
            "request_filename" => Ok(Some(Place::of(self, DEPTH)?.path(&self.request.path))),
            _ => Ok(None),
        }
    }

    /// The value of a variable that the server has by itself (`ngx_http_core_variables` and those of the modules).
    pub(in crate::handshake) fn runtime(&self, name: &str, depth: u8) -> Known<String> {
        let followed = self.followed.ok_or(Unknown::Runtime)?;
        let request = self.request;
        let header = |name: &str| request.header(name.as_bytes()).unwrap_or_default().to_owned();
        Ok(match name {
            "server_addr" => followed.socket.address.to_string(),
            "server_protocol" => "HTTP/1.1".to_owned(),
            "request" => format!("{} {} HTTP/1.1", request.method, request.sent_target()),
            "nginx_version" => self.gateway.version.ok_or(Unknown::Environment)?.to_string(),
            "realip_remote_addr" => followed.client.to_string(),
            "content_length" => header("content-length"),
            "document_root" => Place::of(self, depth)?.absolute()?.root,
            "request_filename" => Place::of(self, depth)?.absolute()?.path(&request.path),
            "invalid_referer" => self.invalid_referer()?,
            "connection_requests" => "1".to_owned(),
            "limit_rate" => "0".to_owned(),
            "pipe" => ".".to_owned(),
            "http2"
            | "http3"
            | "remote_user"
            | "request_body"
            | "request_body_file"
            | "request_completion"
            | "proxy_protocol_addr"
            | "proxy_protocol_port" => String::new(),
            _ => match name.split_once('_') {
                Some(("cookie", cookie)) => cookie_of(&header("cookie"), cookie),
                // Nothing was asked and nothing sent by now.
                Some(("upstream", _)) => String::new(),
                Some(("sent", rest)) if rest.starts_with("http_") => String::new(),
                Some(("ssl", _)) if !request.tls => String::new(),
                _ => return Err(Unknown::Runtime),
            },
        })
    }
}

/// The value of a cookie (`ngx_http_parse_multi_header_lines`).
fn cookie_of(header: &str, name: &str) -> String {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next().unwrap_or_default()
}

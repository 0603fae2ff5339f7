//! The files of directories, `.htaccess`: areas that count where `AllowOverride` lets them.

use super::section::{OpenArea, Section};
use super::{Lowerer, ServerIndex};
use crate::apache::resolve::DirectoryLines;
use crate::apache::statement::{Kind, Statement};
use crate::gateway::{Area, Covers, DirectoryFile, Matcher, Needed, OverrideClass};
use crate::source::Span;

/// The longest line of such a file (`HUGE_STRING_LEN`, `ap_parse_htaccess`).
const LONGEST_LINE: usize = 8190;

impl Lowerer<'_> {
    /// Adds the file of a directory as an area of the main server, whose areas are there for every site.
    pub(super) fn directory_file(&mut self, lines: &DirectoryLines) {
        self.server = ServerIndex(0);
        self.sections.clear();
        let span = Span::new(lines.source, 0, 0);
        let path = self.gateway.texts.intern(&lines.directory);
        let scope = self.gateway.scopes.open(Some(self.servers[0].scope), span);
        let mut area = Area::new(span, Covers::Directory(Matcher::Segments(path)), 0, scope);
        area.file = Some(Box::new(self.needs(lines)));
        self.servers[0].areas.push(area);
        self.sections.push(Section::Area(Box::new(OpenArea::new(self.servers[0].areas.len() - 1))));
        for statement in &lines.statements {
            match statement.kind {
                Kind::Begin => self.begin(statement),
                Kind::End => self.end(statement),
                Kind::Line => self.line(statement),
                Kind::Hole | Kind::Unseen(_) => {}
            }
        }
        if let Some(Section::Area(area)) = self.sections.pop() {
            self.close_area(*area, Vec::new());
        }
    }

    /// What must be allowed for the file, and what is refused whatever is allowed.
    fn needs(&mut self, lines: &DirectoryLines) -> DirectoryFile {
        let mut file = DirectoryFile::default();
        let bytes = self.store.sources.get(lines.source).bytes();
        let long = |line: &[u8]| line.len() > LONGEST_LINE;
        if bytes.split(|&byte| byte == b'\n').any(long) {
            file.refused = Some((Span::new(lines.source, 0, 0), "has a line that is too long"));
        }
        for statement in &lines.statements {
            if statement.kind != Kind::Line {
                continue;
            }
            let need = self.need(statement);
            let name = self.gateway.texts.get(need.name);
            if name.starts_with(b"rewrite") && self.gateway.modules.has("rewrite") == Some(false) {
                file.refused = file.refused.or(Some((need.span, "needs mod_rewrite, which is not loaded")));
            }
            let forbidden: [&[u8]; 6] =
                [b"proxypass", b"proxypassmatch", b"documentroot", b"servername", b"listen", b"sslproxyengine"];
            if forbidden.contains(&name) {
                file.refused = file.refused.or(Some((need.span, "is not allowed here")));
            }
            if need.class.is_some() {
                file.needs.push(need);
            }
        }
        file
    }

    fn need(&mut self, statement: &Statement) -> Needed {
        let name = self.resolved.name(self.store, statement).to_ascii_lowercase();
        let class = match name.as_slice() {
            b"require" | b"satisfy" | b"sslrequiressl" => Some(OverrideClass::Authentication),
            b"order" | b"allow" | b"deny" => Some(OverrideClass::Hosts),
            b"options" => Some(OverrideClass::Options),
            b"directoryindex" | b"directoryslash" | b"fallbackresource" => Some(OverrideClass::Indexes),
            b"sethandler" | b"requestheader" | b"header" | b"errordocument" | b"setenv" | b"unsetenv" => {
                Some(OverrideClass::FileInfo)
            }
            name if name.starts_with(b"auth") => Some(OverrideClass::Authentication),
            name if [&b"rewrite"[..], b"redirect", b"setenvif", b"browsermatch"].iter().any(|start| name.starts_with(start)) => {
                Some(OverrideClass::FileInfo)
            }
            _ => None,
        };
        Needed { span: statement.span(self.store), class, name: self.gateway.texts.intern(&name) }
    }
}

//! Now and then something that httpd does not take.

use super::Writer;

const FAULTS: [&str; 52] = [
    "ProxyPass \"/x\" \"http://127.0.0.1:19001/\" upgrade",
    "ProxyPass \"/x\" \"http://127.0.0.1:19001/\" upgraded=websocket",
    "ProxyPass \"/x\" \"http://127.0.0.1:19001/\" upgrade=websocket-with-a-name",
    "ProxyPass \"/x\" \"http://127.0.0.1:19001/\" # the backend",
    "ProxyPass \"/x\" \"127.0.0.1:19001\"",
    "ProxyPass \"/x\" \"http://127.0.0.1:99999/\"",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ timeout=0",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ retry=-1",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ keepalive=yes",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ max=0",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ ping=x",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ loadfactor=500",
    "ProxyPass \"/x\" http://127.0.0.1:19001/ lbmethod=byrequests",
    "ProxyPass \"/x\"",
    "ProxyPassMatch \"^/(x\" \"http://127.0.0.1:19001/$1\"",
    "ProxyPas \"/x\" \"http://127.0.0.1:19001/\"",
    "ProxyTimeout 60 # seconds",
    "ProxyTimeout 0",
    "ProxyTimeout",
    "ProxyPreserveHost Maybe",
    "ProxyPreserveHost",
    "ProxyRequests 1",
    "ProxyVia maybe",
    "ProxyWebsocketIdleTimeout 60",
    "BalancerMember http://127.0.0.1:19001",
    "BalancerMember balancer://nowhere http://127.0.0.1:19001 upgraded=1",
    "ProxySet http://nowhere:1/ upgrade=websocket",
    "<Location /x>",
    "</Location>",
    "<Location>\n</Location>",
    "<Location /x\n</Location>",
    "<Frobnicate x>\n</Frobnicate>",
    "<Directory /x>\nProxyPass http://127.0.0.1:19001/\n</Directory>",
    "<Location /x>\nProxyPass /x http://127.0.0.1:19001/\n</Location>",
    "<If \"%{HTTP:Upgrade} == \">\n</If>",
    "<Else>\n</Else>",
    "<Location /x>\nListen 18085\n</Location>",
    "Include nowhere.conf",
    "Timeout 1h 2m",
    "Timeout x",
    "RewriteEngine Maybe",
    "RewriteRule ^/x",
    "RewriteRule ^/(x /y",
    "RewriteRule ^/x /y [Q]",
    "RewriteRule ^/x /y [P",
    "RewriteCond %{HTTP:Upgrade}",
    "RewriteCond %{HTTP:Upgrade} websocket [XX]",
    "RequestHeader put X y",
    "RequestHeader set X",
    "Require",
    "Use nomacro a b",
    "AllowOverride All",
];

impl Writer<'_> {
    pub(super) fn fault(&mut self, percent: usize) {
        if self.random.chance(percent) {
            let line = self.random.pick(&FAULTS);
            self.line(line);
        }
    }
}

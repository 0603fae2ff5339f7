//! The directives of well-known modules that are not nginx's own: that nginx has been built with them is taken for granted.

/// Whether the name is a word of nginx's own that is no directive of any module's: a parameter, a row of a map, or what other languages
/// write behind an `if`.
pub(super) fn is_none(name: &[u8]) -> bool {
    matches!(
        name,
        b"default"
            | b"default_server"
            | b"hostnames"
            | b"volatile"
            | b"weight"
            | b"backup"
            | b"else"
            | b"elseif"
            | b"elsif"
            | b"elif"
            | b"endif"
            | b"end"
    )
}

/// The block of nginx's own whose name is nearly `name`.
pub(super) fn nearest_block(name: &str) -> Option<&'static str> {
    const BLOCKS: [&str; 7] = ["http", "server", "events", "location", "upstream", "stream", "limit_except"];
    BLOCKS.into_iter().find(|block| strsim::damerau_levenshtein(block, name) == 1)
}

/// Whether a well-known module has directives of this name or family.
pub(super) fn is_known(name: &[u8]) -> bool {
    const FAMILIES: [&[u8]; 62] = [
        b"access_by_",
        b"aio_",
        b"array_",
        b"auth_gss",
        b"auth_ldap",
        b"auth_pam",
        b"auth_spnego",
        b"aws_",
        b"balancer_by_",
        b"body_filter_by_",
        b"brotli",
        b"check_",
        b"content_by_",
        b"dav_ext_",
        b"echo",
        b"encrypted_session_",
        b"eval",
        b"exit_worker_by_",
        b"fancyindex",
        b"fastdfs",
        b"form_",
        b"geoip2",
        b"hdr_",
        b"header_filter_by_",
        b"headers_",
        b"iconv_",
        b"init_by_",
        b"init_worker_by_",
        b"jwt_",
        b"ldap_",
        b"log_by_",
        b"lua_",
        b"memc_",
        b"modsecurity",
        b"more_",
        b"naxsi",
        b"nchan_",
        b"opentelemetry",
        b"opentracing",
        b"pagespeed",
        b"passenger",
        b"pg_",
        b"postgres_",
        b"precontent_by_",
        b"preread_by_",
        b"proxy_cache_purge",
        b"proxy_connect",
        b"push_stream_",
        b"rds_",
        b"redis",
        b"req_status",
        b"rewrite_by_",
        b"set_",
        b"server_rewrite_by_",
        b"srcache_",
        b"ssl_certificate_by_",
        b"ssl_client_hello_by_",
        b"ssl_session_fetch_by_",
        b"ssl_session_store_by_",
        b"subs_filter",
        b"upload",
        b"vhost_traffic_status",
    ];
    const NAMES: [&[u8]; 30] = [
        b"BasicRule",
        b"CheckRule",
        b"DeniedUrl",
        b"IgnoreCIDR",
        b"LearningMode",
        b"MainRule",
        b"SecRulesDisabled",
        b"SecRulesEnabled",
        b"access_by_lua",
        b"check",
        b"concat",
        b"dynamic_limit_req",
        b"fair",
        b"js_import",
        b"js_include",
        b"jvm_route",
        b"limit_upstream_conn",
        b"location_by_lua",
        b"otel",
        b"rtmp",
        b"rtmp_auto_push",
        b"set_by_lua",
        b"session_sticky",
        b"stream_lua",
        b"sticky_hide_cookie",
        b"testcookie",
        b"track_uploads",
        b"report_uploads",
        b"zstd",
        b"zstd_static",
    ];
    FAMILIES.iter().any(|family| name.starts_with(family)) || name.starts_with(b"zstd_") || NAMES.contains(&name)
}

"""E67x: pages of what keeps a call to a Receiver from being judged. They are told in the log, at the call."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E670": _Page(
        "The issuer of the tokens that callers prove themselves by did not answer, so a call could be neither "
        "accepted nor refused: it was answered 503, and nothing was asked to look.",
        "the issuer https://token.actions.githubusercontent.com can't be asked for its keys [E670]: Connection refused",
        "The issuer is down, its name is not known, its certificate is not trusted (SSL_CERT_FILE names other "
        "authorities), or its address is in a private network that --egress-allow does not name.",
        "Mend what the cause says. The issuer is asked again with the next call, ten seconds later at the earliest.",
    ),
    "E671": _Page(
        "The issuer of the tokens that callers prove themselves by answered, but not with its own name and keys.",
        "the issuer https://issuer.example.com says that it is https://other.example.com [E671]; fix: write the "
        "issuer's URL as it stands in its tokens",
        "spec.oidcProviders[].issuerURL is no issuer, or differs from the issuer's own name, be it by a slash at "
        "the end; or its document of keys holds none that can be used.",
        "Write issuerURL as the tokens have it in `iss`.",
    ),
}

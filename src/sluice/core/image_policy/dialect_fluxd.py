"""fluxd's tag patterns: `glob:1.*`, `semver:~1.2`, `regexp:^v`, as people wrote them into annotations, become policies.

A glob or a regular expression orders by build time, a range by version. The tag `latest` takes part only when the
pattern is exactly `glob:latest`. fluxd took every tag where it could not read a pattern; here such a pattern selects
nothing and says why.
"""

from __future__ import annotations

from sluice.core.codes import ANNOTATION_INVALID, REGEX_REJECTED, TAG_RANGE
from sluice.core.errors import UserError
from sluice.core.fluxd_semver import parse_fluxd_range
from sluice.core.image_policy.filters import AllTags, GlobFilter, PatternFilter, WithoutLatest
from sluice.core.image_policy.orders import BuildTimeOrder, FluxdSemverOrder
from sluice.core.image_policy.policy import TagPolicy, quoted
from sluice.core.problem import Code, Problem
from sluice.core.regular_expression import MAX_PATTERN, PatternError, parse_pattern
from sluice.core.semver_range import RangeError

GLOB, SEMVER, REGEXP, REGEX = "glob:", "semver:", "regexp:", "regex:"
EVERY_TAG = "glob:*"

_FORM = "write glob:<text with *>, semver:<range> or regexp:<regular expression>"


def fluxd_policy(pattern: str, field: str = "") -> TagPolicy:
    """The policy that a tag pattern stands for. Raises UserError; whoever wrote the annotation `field` can fix it.

    >>> fluxd_policy("semver:~1.2").accepts("1.2.9"), fluxd_policy("1.2.*").accepts("1.3.0")
    (True, False)
    """
    if pattern.startswith(SEMVER):
        return _semver(pattern.removeprefix(SEMVER), field)
    if pattern.startswith((REGEXP, REGEX)):
        return _regexp(pattern.partition(":")[2], field)
    return _glob(pattern.removeprefix(GLOB), field)


def pattern_text(pattern: str) -> str:
    """How a pattern is shown: always with a prefix, and `regex:` as `regexp:`, as fluxctl shows it.

    >>> pattern_text("1.*"), pattern_text("regex:^v")
    ('glob:1.*', 'regexp:^v')
    """
    if pattern.startswith(REGEX):
        return REGEXP + pattern.removeprefix(REGEX)
    return pattern if pattern.startswith((GLOB, SEMVER, REGEXP)) else GLOB + pattern


def _glob(glob: str, field: str) -> TagPolicy:
    if not glob or ":" in glob or len(glob) > MAX_PATTERN:
        raise UserError(_invalid(ANNOTATION_INVALID, glob, field, _glob_fault(glob), _FORM))
    tags = GlobFilter(glob)
    return TagPolicy(tags if glob == "latest" else WithoutLatest(tags), BuildTimeOrder())


def _glob_fault(glob: str) -> str:
    if not glob:
        return "it is empty, and no tag is"
    if len(glob) > MAX_PATTERN:
        return f"it has {len(glob)} characters, limit {MAX_PATTERN}"
    return f"{quoted(glob.partition(':')[0])} is no kind of pattern, and no tag has a colon"


def _semver(text: str, field: str) -> TagPolicy:
    try:
        return TagPolicy(WithoutLatest(AllTags()), FluxdSemverOrder(parse_fluxd_range(text)))
    except RangeError as error:
        fix = "write a range such as ~1.2 or >=1.2.0, <2.0.0, with commas between its terms"
        raise UserError(_invalid(TAG_RANGE, text, field, str(error), fix)) from None


def _regexp(text: str, field: str) -> TagPolicy:
    try:
        return TagPolicy(WithoutLatest(PatternFilter(parse_pattern(text))), BuildTimeOrder())
    except PatternError as error:
        fix = "write a pattern in RE2's syntax, which has no look-around and no back-references"
        raise UserError(_invalid(REGEX_REJECTED, text, field, str(error), fix)) from None


def _invalid(code: Code, text: str, field: str, cause: str, fix: str) -> Problem:
    where = f"{field} has {quoted(text)}" if field else quoted(text)
    return Problem(code, "The tag pattern can't be read", field=field, cause=f"{where}: {cause}", fix=fix)

"""The registry of error codes: one line each, in order. `docs/reference/errors.md` is generated from it.

A code's number and name never change once released; add at the end of its range.
"""

from __future__ import annotations

from sluice.core.problem import Code

# E1xx: the source could not be read.
AUTH_REFUSED = Code("E101", "AuthRefused", "the git host refused the credentials, or a needed one is missing")
REF_MISSING = Code(
    "E102", "RefMissing", "the branch, tag, reference or repository does not exist, or is not visible"
)
HOST_UNVERIFIED = Code(
    "E103", "HostUnverified", "the host key or TLS certificate is not the one that is trusted"
)
REMOTE_UNREACHABLE = Code(
    "E104", "RemoteUnreachable", "name lookup, connection or transfer failed or took too long"
)
SOURCE_MISSING = Code("E105", "SourceMissing", "the source object does not exist or has no artifact yet")
URL_SCHEME = Code("E106", "UrlScheme", "the URL's scheme or transport is not allowed")
URL_SYNTAX = Code("E107", "UrlSyntax", "the URL is malformed, or holds credentials")
URL_BLOCKED = Code("E108", "UrlBlocked", "the URL points to an address that must not be reached")
REF_SYNTAX = Code("E109", "RefSyntax", "the branch, tag or reference name is not one that git allows")
SEMVER = Code("E110", "Semver", "the version range can't be parsed, or no tag satisfies it")
BAD_COMMIT = Code("E111", "BadCommit", "the commit is not a full hash, or not reachable from the branch")
REPO_EMPTY = Code("E112", "RepoEmpty", "the repository has no commit")
TREE_ENTRY = Code("E113", "TreeEntry", "the tree holds a path that could escape or confuse a checkout")
SUBMODULE = Code(
    "E114", "SubmoduleInvalid", "a submodule's path, name or URL is not allowed, or can't be fetched"
)
REPO_TOO_BIG = Code("E115", "RepoTooBig", "the repository or one of its files is over a limit")
LFS_POINTER = Code("E116", "LfsPointer", "the file is a Git LFS pointer, and LFS is not supported")
INCLUDE_UNAVAILABLE = Code("E117", "IncludeUnavailable", "an included source does not exist or is not ready")
SOURCE_EMPTY = Code("E118", "EmptySource", "ignore rules or sparse checkout leave no file")

# E2xx: the revision can't be built or is not valid.
PATH_MISSING = Code("E201", "PathMissing", "the folder that spec.path names is not in this revision")
YAML_SYNTAX = Code("E202", "YamlSyntax", "the file is not valid YAML")
KUSTOMIZE_MISSING = Code(
    "E203", "KustomizeMissing", "a kustomization lists a file or folder that does not exist"
)
UNKNOWN_FIELD = Code("E204", "UnknownField", "the object has a field that its schema does not")
VARIABLE_UNDEFINED = Code("E205", "VariableUndefined", "a substitution variable has no value")
DECRYPT = Code("E206", "Decrypt", "an encrypted file or value can't be decrypted")
UNKNOWN_KIND = Code(
    "E207", "UnknownKind", "the API server does not serve this kind, and no CRD of this revision adds it"
)
DUPLICATE_OBJECT = Code("E208", "DuplicateObject", "the same object is defined twice")
YAML_DUPLICATE_KEY = Code("E209", "YamlDuplicateKey", "a key stands twice in one map")
YAML_TAG = Code("E210", "YamlTag", "a YAML tag that names a programming language's type")
YAML_TOO_BIG = Code("E211", "YamlTooBig", "aliases expand to more nodes than allowed")
YAML_TOO_DEEP = Code("E212", "YamlTooDeep", "nesting is deeper than allowed")
FILE_TOO_BIG = Code("E213", "FileTooBig", "a file or the output of a renderer is over its limit")
MISSING_FIELD = Code("E214", "MissingField", "a field that every object needs is missing")
BAD_TYPE = Code("E215", "BadType", "a field has a value of the wrong type")
NOT_DECLARATIVE = Code(
    "E216", "NotDeclarative", "the object uses generateName, which can't be kept in step with git"
)
BAD_NAME = Code("E217", "BadName", "a name breaks Kubernetes' rules")
BAD_LABEL = Code("E218", "BadLabel", "a label or annotation key or value breaks Kubernetes' rules")
NAMESPACE_NOT_ALLOWED = Code("E219", "NamespaceNotAllowed", "a cluster-scoped object names a namespace")
NAMESPACE_MISSING = Code(
    "E220", "NamespaceMissing", "a namespaced object names no namespace and there is no default"
)
SERVER_FIELD = Code("E221", "ServerField", "a field that only the API server may set")
OWNER_UNKNOWN = Code("E222", "OwnerUnknown", "ownerReferences name an object outside this revision")
RESERVED_NAME = Code(
    "E223", "ReservedName", "a label, annotation or finalizer that the operator keeps for itself"
)
BAD_BASE64 = Code("E224", "BadBase64", "a Secret's value is not base64")
OBJECT_TOO_BIG = Code("E225", "ObjectTooBig", "the object is larger than the API server stores")
ENCODING = Code("E226", "Encoding", "the file is not UTF-8 text")
PATH_NOT_ALLOWED = Code("E227", "PathNotAllowed", "a file name with control characters or direction marks")
BAD_NUMBER = Code("E228", "BadNumber", "a number that JSON can't hold")
JSON_SYNTAX = Code("E229", "JsonSyntax", "the file is not valid JSON")
PATH_ESCAPE = Code(
    "E230", "PathEscape", "a path leads out of the source, by `..`, an absolute name or a symlink"
)
REMOTE_BASE_OFF = Code("E231", "RemoteBaseOff", "a kustomization names a remote base")
KUSTOMIZE_CYCLE = Code("E232", "KustomizeCycle", "kustomizations refer to each other in a circle")
KUSTOMIZE_AMBIGUOUS = Code("E233", "KustomizeAmbiguous", "a folder has more than one kustomization file")
PATCH_NO_TARGET = Code("E234", "PatchNoTarget", "a patch matches no object")
PATCH_INVALID = Code("E235", "PatchInvalid", "a patch can't be parsed or applied")
PLUGIN_OFF = Code("E236", "PluginOff", "a kustomization uses a plugin, a function or inflates a Helm chart")
REPLACEMENT = Code("E237", "ReplacementUnresolved", "a kustomize replacement finds no source or target")
KUSTOMIZE_FAILED = Code("E238", "KustomizeFailed", "kustomize could not build the folder")
UNSUPPORTED_VERSION = Code("E239", "UnsupportedVersion", "an apiVersion that is no longer, or not yet, known")
VARIABLE_INVALID = Code(
    "E240", "VariableInvalid", "a substitution variable's name or expression is not valid"
)
LIST_NESTING = Code("E241", "ListNesting", "Lists are nested too deep")
RENDER_TIMEOUT = Code("E242", "RenderTimeout", "a renderer took longer than its limit")
CRD_INVALID = Code(
    "E243", "CRDInvalid", "the API server refused a CRD, so the objects of its kind were not tried"
)
NOT_HONOURED = Code("E244", "NotHonoured", "a field or kind that this version of Sluice does not act on yet")
SPEC_INVALID = Code("E245", "SpecInvalid", "a field of the spec has a value that is not allowed")
FIELD_CONFLICT = Code("E246", "FieldConflict", "two fields or flags exclude each other")
REFERENCE_MISSING = Code("E247", "ReferenceMissing", "an object that the spec names does not exist")
CROSS_NAMESPACE = Code("E248", "CrossNamespace", "a reference to another namespace, which is switched off")
ENCRYPTED = Code("E249", "StillEncrypted", "a Secret is still encrypted with SOPS")

# E3xx: the cluster refused, or the objects did not become healthy.
IMMUTABLE_FIELD = Code("E301", "ImmutableField", "a field that can't be changed on an existing object")
ADMISSION_DENIED = Code("E302", "AdmissionDenied", "an admission webhook or policy refused the object")
HEALTH_FAILED = Code("E303", "HealthFailed", "an object reports that it failed")
HEALTH_TIMEOUT = Code("E304", "HealthTimeout", "objects did not become healthy in time")
QUOTA_EXCEEDED = Code("E305", "QuotaExceeded", "a ResourceQuota does not allow the object")
DEPENDENCY_NOT_READY = Code("E306", "DependencyNotReady", "a sync that this one depends on is not ready")
FIELD_CONFLICT_LIVE = Code("E307", "FieldOwned", "another field manager owns the field")
FORBIDDEN = Code("E308", "Forbidden", "the account may not do this")
PRUNE_FAILED = Code("E309", "PruneFailed", "an object that left git could not be deleted")
INVALID_OBJECT = Code("E310", "InvalidObject", "the API server's validation refused the object")
WEBHOOK_UNREACHABLE = Code("E311", "WebhookUnreachable", "an admission or conversion webhook did not answer")
API_UNAVAILABLE = Code("E312", "ApiUnavailable", "the API server did not answer, or asked to wait")
EMPTY_RENDER = Code("E313", "EmptyRender", "the revision has no objects, but the inventory has")
PRUNE_LIMIT = Code("E314", "PruneLimit", "the revision would prune more objects than allowed")
OWNED_BY_ANOTHER = Code("E315", "OwnedByAnother", "the object belongs to another sync")
SELF_PROTECT = Code("E316", "SelfProtect", "the object is part of the operator itself")
DEPENDENCY_CYCLE = Code("E317", "DependencyCycle", "syncs depend on each other in a circle")
NAMESPACE_TERMINATING = Code("E318", "NamespaceTerminating", "the namespace is being deleted")
NO_DRY_RUN = Code("E319", "NoDryRun", "the object can't be dry-run, because it might be written")
RECORD_UNREADABLE = Code("E320", "RecordUnreadable", "the operator's record of this sync can't be read")
OBJECT_DELETING = Code("E321", "ObjectDeleting", "the object is being deleted and waits for a finalizer")
NAMESPACE_ABSENT = Code(
    "E322", "NamespaceAbsent", "the namespace does not exist and this revision does not create it"
)

# E6xx: access to the cluster, and installation.
KUBECONFIG_MISSING = Code("E601", "KubeconfigMissing", "no kubeconfig, or it has no such context")
KUBECONFIG_INVALID = Code(
    "E602", "KubeconfigInvalid", "the kubeconfig can't be read, or uses what is switched off"
)
UNAUTHENTICATED = Code("E603", "Unauthenticated", "the API server does not accept the credentials")
NOT_INSTALLED = Code("E604", "NotInstalled", "the CRDs are not installed in this cluster")
ALREADY_INSTALLED = Code("E605", "AlreadyInstalled", "another installation is in the way")
LEASE_HELD = Code("E606", "LeaseHeld", "another controller holds the lease")

# E7xx: the command line.
USAGE = Code("E701", "Usage", "a flag or an argument can't be used so")
TARGET_MISSING = Code("E702", "TargetMissing", "the named object does not exist")
SECRET_ARGUMENT = Code("E703", "SecretArgument", "a secret was given as an argument")
FILE_MISSING = Code("E704", "FileMissing", "a file or folder that was named does not exist or can't be read")
SUSPENDED = Code("E705", "Suspended", "the object is suspended")
WAIT_TIMEOUT = Code("E706", "WaitTimeout", "the wait ended before the outcome was known")

# W4xx: warnings.
IGNORED_FIELD = Code("W401", "IgnoredField", "a field that the API server will not take from us")
SHADOWED_KEY = Code("W402", "ShadowedKey", "a Secret sets one key in data and in stringData")
ATTRIBUTES_IGNORED = Code(
    "W403", "AttributesIgnored", "git attributes or LFS settings that are ignored by design"
)
CASE_COLLISION = Code("W404", "CaseCollision", "two paths differ only in case")

CODES: tuple[Code, ...] = tuple(
    sorted((value for value in list(globals().values()) if isinstance(value, Code)), key=lambda c: c.number)
)

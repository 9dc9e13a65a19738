"""The audit: what is left of the people, checked clip by clip on what was written, and the gate that acts on it."""

from m2m.audit.dataset import AuditSummary, audit, audit_shard

__all__ = ["AuditSummary", "audit", "audit_shard"]

"""The scheduler of renewals, put together from the configuration."""

from gateway.app.authorities import Authorities
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.services.certificates import Renewal
from gateway.services.renewal import RenewalScheduler
from gateway.services.renewal_plan import RenewalRules
from gateway.session.security import SecurityLog
from gateway.store.database import Database
from gateway.store.renewals import Renewals

__all__ = ["RenewalScheduler", "Renewals", "renewal_rules", "scheduler"]


def renewal_rules(config: Config) -> RenewalRules:
    """Return the operator's wishes."""
    return RenewalRules(config.renewal.window, config.renewal.jitter, tuple(config.renewal.alert))


def scheduler(
    config: Config,
    authorities: Authorities,
    database: Database,
    renewal: Renewal,
    security: SecurityLog,
    tasks: Tasks,
) -> RenewalScheduler:
    """Return the scheduler for the certificates that stations have."""
    return RenewalScheduler(
        Renewals(database),
        renewal,
        security,
        rules=renewal_rules(config),
        health={use: authority.health for use, authority in authorities.by_use.items() if use != "server"},
        spawn=tasks.spawn,
    )

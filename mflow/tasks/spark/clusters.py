"""Which cluster answers for an application."""

from collections.abc import Mapping

from mflow.tasks.spark.application import Application, Manager
from mflow.tasks.spark.cluster import Cluster
from mflow.tasks.spark.errand import Errands
from mflow.tasks.spark.programs import find_beside, find_program
from mflow.tasks.spark.standalone import Standalone
from mflow.tasks.spark.yarn import Yarn


def cluster_for(
    application: Application, submit: str, errands: Errands, environ: Mapping[str, str], cwd: str
) -> Cluster | None:
    """The one to ask; None for local mode, and for managers that mflow cannot ask."""
    if application.manager is Manager.STANDALONE:
        return Standalone(
            application.master,
            errands,
            environ,
            submit=submit,
            spark_class=find_beside(submit, "spark-class"),
            rest=application.master_rest,
            page=application.master_ui,
            by_rest=application.settings.get("spark.master.rest.enabled") == "true",
        )
    if application.manager is Manager.YARN:
        return Yarn(
            errands,
            environ,
            yarn=find_program("yarn", environ, cwd, ("HADOOP_YARN_HOME", "HADOOP_HOME")),
            kinit=find_program("kinit", environ, cwd),
            principal=_kerberos(application, "principal"),
            keytab=_kerberos(application, "keytab"),
        )
    return None


def _kerberos(application: Application, what: str) -> str | None:
    """As a key of the task, or by the property of Spark 3 and later or of Spark 2."""
    named = (f"spark.kerberos.{what}", f"spark.yarn.{what}")
    found = (application.options.get(what), *(application.settings.get(key) for key in named))
    return next((one for one in found if one), None)

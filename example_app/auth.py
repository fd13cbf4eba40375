"""Signing in, and who may manage the shop's mail."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user, logout_user
from flask_wtf import FlaskForm
from sqlalchemy import select
from werkzeug.security import check_password_hash
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from flask_smtpservers import Action, Scope

from .extensions import db, login_manager
from .models import User
from .seed import LOGINS

blueprint = Blueprint("auth", __name__)
login_manager.login_view = "auth.sign_in"
login_manager.login_message_category = "notice"


#: Those who may have an SMTP server of their own.
WITH_OWN_SERVER = ("admin", "manager", "staff")


def may_manage_mail(action: Action, scope: Scope) -> bool:
    """Flask-SMTPServers asks this before everything.

    The head office looks after the shop's servers, a manager after those of the branch, everybody but a trainee after
    his own.
    """
    if not current_user.is_authenticated:
        return False
    if action is Action.MANAGE_PERSONAL:
        return current_user.role in WITH_OWN_SERVER and scope.owner == current_user.username
    if current_user.role == "manager":
        return scope == Scope(tenant=current_user.branch)
    return bool(current_user.role == "admin")


def current_user_name() -> str | None:
    """Flask-SMTPServers asks whose own server may send, and shows it in the history: a name says more than a number."""
    return current_user.username if current_user.is_authenticated else None


def current_branch() -> str | None:
    """Flask-SMTPServers asks for which branch somebody works; the head office is none."""
    return (current_user.branch or None) if current_user.is_authenticated else None


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id))


class SignInForm(FlaskForm):
    username = StringField("User name", validators=[InputRequired()])
    password = PasswordField("Password", validators=[InputRequired()])


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    form = SignInForm()
    if form.validate_on_submit():
        user = db.session.scalar(select(User).filter_by(username=form.username.data))
        if user is not None and check_password_hash(user.password_hash, form.password.data or ""):
            login_user(user)
            return redirect(_own_page(request.args.get("next")))
        flash("User name or password is wrong.", "error")
    return render_template("sign_in.html", form=form, logins=LOGINS)


@blueprint.post("/sign-out")
@login_required
def sign_out() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for("shop.home"))


def _own_page(target: str | None) -> str:
    """Return ``target`` if it is a page of this app; browsers read a backslash as a slash."""
    if target and target.startswith("/") and "\\" not in target:
        parts = urlsplit(target)
        if not parts.scheme and not parts.netloc:
            return target
    return url_for("shop.home")

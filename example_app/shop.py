"""The shop's pages: they send mail the way any Flask app with Flask-Mail does."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from flask_mail import Message
from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import Email, InputRequired, Length

from flask_smtpservers.errors import SendError, SMTPServersError

from .extensions import db, mail, smtp
from .models import BRANCHES, Customer
from .postoffice import PostOffice

blueprint = Blueprint("shop", __name__)

BASKET = (("Sourdough bread", Decimal("4.20")), ("Butter", Decimal("2.80")), ("Plum jam", Decimal("3.50")))


class ReceiptForm(FlaskForm):
    address = StringField("The customer's e-mail address", validators=[InputRequired(), Email()])


class NewsletterForm(FlaskForm):
    subject = StringField("Subject", default="Fresh this week", validators=[InputRequired(), Length(max=120)])
    text = TextAreaField(
        "Text",
        default="Hello {name},\n\nthis week we have rye bread and the first cherries.\n\nYour corner shop",
        validators=[InputRequired(), Length(max=5000)],
        description="{name} becomes the customer's name.",
    )


class LetterForm(FlaskForm):
    address = SelectField("To")
    subject = StringField("Subject", default="Your order", validators=[InputRequired(), Length(max=120)])
    text = TextAreaField(
        "Text",
        default="Your rye bread is ready. I keep it warm for you.",
        validators=[InputRequired(), Length(max=5000)],
    )


class SettingsForm(FlaskForm):
    name = StringField(
        "Your name", validators=[InputRequired(), Length(max=80)], description="Customers see it in your letters."
    )


@blueprint.get("/")
def home() -> ResponseReturnValue:
    return render_template("home.html", office=_office())


@blueprint.route("/receipt", methods=["GET", "POST"])
@login_required
def receipt() -> ResponseReturnValue:
    """Send one mail, from the address of the branch or of the orders."""
    form = ReceiptForm()
    sender = _orders()
    if form.validate_on_submit():
        total = sum(price for _, price in BASKET)
        message = Message(
            "Your receipt from Corner Shop",
            sender=sender,
            recipients=[form.address.data or ""],
            body=render_template("mail/receipt.txt", basket=BASKET, total=total),
            html=render_template("mail/receipt.html", basket=BASKET, total=total),
        )
        try:
            # Flask-SMTPServers: an admin may choose a server for each kind of mail.
            with smtp.using(kind="receipts"):
                mail.send(message)
        except SMTPServersError as error:
            flash(_why(error), "error")
        else:
            flash(f"The receipt is on its way to {form.address.data}. Look into the inbox.", "success")
            return redirect(url_for(".receipt"))
    return render_template("receipt.html", form=form, basket=BASKET, sender=sender)


@blueprint.route("/newsletter", methods=["GET", "POST"])
@login_required
def newsletter() -> ResponseReturnValue:
    """Send one mail to each customer over one connection; without a sender, so that the app's default applies."""
    form = NewsletterForm()
    customers = list(db.session.scalars(select(Customer).order_by(Customer.name)))
    if form.validate_on_submit():
        sent = 0
        try:
            # Flask-SMTPServers: mail to many never goes through somebody's own server.
            with smtp.using(kind="newsletter"), mail.connect() as connection:
                for customer in customers:
                    text = (form.text.data or "").replace("{name}", customer.name)
                    connection.send(
                        Message(form.subject.data or "", recipients=[(customer.name, customer.address)], body=text)
                    )
                    sent += 1
        except SMTPServersError as error:
            flash(f"{sent} of {len(customers)} newsletters went out. {_why(error)}", "error")
        else:
            flash(f"{sent} newsletters went out. Look into the inbox.", "success")
            return redirect(url_for(".newsletter"))
    return render_template("newsletter.html", form=form, customers=customers)


@blueprint.route("/write", methods=["GET", "POST"])
@login_required
def write() -> ResponseReturnValue:
    """Send a mail in the name of the person; it goes out through his own server, if he has one."""
    form = LetterForm()
    customers = list(db.session.scalars(select(Customer).order_by(Customer.name)))
    form.address.choices = [(customer.address, f"{customer.name}, {customer.address}") for customer in customers]
    if form.validate_on_submit():
        message = Message(
            form.subject.data or "",
            sender=(current_user.name, current_user.email),
            recipients=[form.address.data],
            body=form.text.data,
        )
        try:
            with smtp.using(kind="letters"):
                mail.send(message)
        except SMTPServersError as error:
            flash(_why(error), "error")
        else:
            flash(f"The letter is on its way to {form.address.data}. Look into the inbox.", "success")
            return redirect(url_for(".write"))
    return render_template("write.html", form=form)


@blueprint.route("/settings", methods=["GET", "POST"])
@login_required
def settings() -> ResponseReturnValue:
    """Show what a person can set for himself; the section of Flask-SMTPServers is a part of the page."""
    form = SettingsForm(obj=current_user)
    if form.validate_on_submit():
        current_user.name = form.name.data
        db.session.commit()
        flash("Your settings are saved.", "success")
        return redirect(url_for(".settings"))
    return render_template("settings.html", form=form)


@blueprint.get("/inbox")
@login_required
def inbox() -> ResponseReturnValue:
    return render_template("inbox.html", letters=_office().letters(), office=_office())


@blueprint.get("/inbox/<int:number>")
@login_required
def letter(number: int) -> ResponseReturnValue:
    found = _office().letter(number)
    if found is None:
        abort(404)
    return render_template("letter.html", letter=found)


def _office() -> PostOffice:
    office: PostOffice = current_app.extensions["post_office"]
    return office


def _orders() -> tuple[str, str]:
    """Return the name and the address that receipts come from: those of the branch, or of the head office."""
    if current_user.branch:
        return f"Corner Shop {BRANCHES[current_user.branch]}", f"{current_user.branch}@corner-shop.test"
    return "Corner Shop Orders", "orders@corner-shop.test"


def _why(error: SMTPServersError) -> str:
    """Say to the person at the till why a mail did not go out."""
    diagnosis = error.diagnosis if isinstance(error, SendError) else None
    return f"Not sent. {diagnosis.title}: {diagnosis.explanation}" if diagnosis else f"Not sent. {error}"

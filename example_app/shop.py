"""The shop's pages: they send mail the way any Flask app with Flask-Mail does."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_required
from flask_mail import Message
from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import StringField, TextAreaField
from wtforms.validators import Email, InputRequired, Length

from flask_smtpservers.errors import SendError, SMTPServersError

from .extensions import db, mail
from .models import Customer
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


@blueprint.get("/")
def home() -> ResponseReturnValue:
    return render_template("home.html", office=_office())


@blueprint.route("/receipt", methods=["GET", "POST"])
@login_required
def receipt() -> ResponseReturnValue:
    """Send one mail, from the address of the orders."""
    form = ReceiptForm()
    if form.validate_on_submit():
        total = sum(price for _, price in BASKET)
        message = Message(
            "Your receipt from Corner Shop",
            sender=("Corner Shop Orders", "orders@corner-shop.test"),
            recipients=[form.address.data or ""],
            body=render_template("mail/receipt.txt", basket=BASKET, total=total),
            html=render_template("mail/receipt.html", basket=BASKET, total=total),
        )
        try:
            mail.send(message)
        except SMTPServersError as error:
            flash(_why(error), "error")
        else:
            flash(f"The receipt is on its way to {form.address.data}. Look into the inbox.", "success")
            return redirect(url_for(".receipt"))
    return render_template("receipt.html", form=form, basket=BASKET)


@blueprint.route("/newsletter", methods=["GET", "POST"])
@login_required
def newsletter() -> ResponseReturnValue:
    """Send one mail to each customer over one connection; without a sender, so that the app's default applies."""
    form = NewsletterForm()
    customers = list(db.session.scalars(select(Customer).order_by(Customer.name)))
    if form.validate_on_submit():
        sent = 0
        try:
            with mail.connect() as connection:
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


def _why(error: SMTPServersError) -> str:
    """Say to the person at the till why a mail did not go out."""
    diagnosis = error.diagnosis if isinstance(error, SendError) else None
    return f"Not sent. {diagnosis.title}: {diagnosis.explanation}" if diagnosis else f"Not sent. {error}"
